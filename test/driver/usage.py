"""Runs nacre with one mistake at a time: usage.py NACRE FOLDER EXAMPLES."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import refusals

nacre, folder, examples = sys.argv[1:4]
mlp = f"{examples}/02_digits/mlp.nacre"
weights = f"{examples}/02_digits/mlp.safetensors"
with open(weights, "rb") as f:
    good = f.read()
for name, contents in {"cut.safetensors": good[:-1], "empty.safetensors": b"", "text.safetensors": b"{}" * 20}.items():
    with open(f"{folder}/{name}", "wb") as f:
        f.write(contents)
with open(f"{folder}/wrong.nacre", "w") as f:
    f.write("module wrong\nentry f(x: f32[n]) -> f32[n] where n <= 4 = y\n")
with open(f"{folder}/clash.nacre", "w") as f:
    f.write("module clash\nentry f(x: f32[n]) -> f32[n] where n <= 4 = x\n"
            "entry f_workspace(x: f32[n]) -> f32[n] where n <= 4 = x\n")

CASES = [   # words, exit code, part of the message
    ([], 2, "what is to be done?"),
    (["bulid"], 2, "there is no command `bulid`"),
    (["check"], 2, "which file?"),
    (["check", "--flag", mlp], 2, "--flag"),
    (["check", "--diagnostics=xml", mlp], 2, "xml"),
    (["check", "--set", "hidden", mlp], 2, "NAME=value"),
    (["check", "absent.nacre"], 1, "absent.nacre"),
    (["check", "wrong.nacre"], 1, "unknown-name"),
    (["check", "."], 1, "."),
    (["fmt", "absent.nacre"], 1, "absent.nacre"),
    (["explain", "no-such-kind"], 1, "no kind of diagnostic is called `no-such-kind`"),
    (["show", "--stage=dreams", mlp], 2, "--stage=dreams cannot be shown"),
    (["build", mlp, "--emit=dll"], 2, "--emit=dll is unknown"),
    (["build", mlp, mlp], 2, ""),
    (["build", mlp, "-o", "x", "--cpu=pentium-9"], 1, "no processor is called `pentium-9`"),
    (["build", mlp, "-o", "absent/x"], 1, "cannot write absent/x"),
    (["build", mlp, "-o", "absent/x", "--emit=header"], 1, "cannot write absent/x"),
    (["build", mlp, "-o", "."], 1, "cannot write ."),
    (["build", mlp, "-o", "x", "--weights", "absent"], 1, "cannot open absent"),
    (["build", mlp, "-o", "x", "--weights", "cut.safetensors"], 1, "cut.safetensors"),
    (["build", mlp, "-o", "x", "--weights", "empty.safetensors"], 1, "is no safetensors file"),
    (["build", mlp, "-o", "x", "--weights", "text.safetensors", "--embed-weights"], 1, "is no safetensors file"),
    (["build", mlp, "-o", "x", "--weights", f"{examples}/02_digits/lenet.safetensors"], 1, "does not fit model `net`"),
    (["build", mlp, "-o", "x", "--weights", f"other={weights}"], 1, "there is no model `other`"),
    (["build", "wrong.nacre", "-o", "x"], 1, "unknown-name"),
    (["build", "clash.nacre", "-o", "x"], 1, "the C name `clash_f_workspace` would be both"),
    (["run", "wrong.nacre", "f", "x=[1]"], 1, "unknown-name"),
    (["run", f"{examples}/01_hello/hello.nacre", "nothing"], 2, "hello has no entry `nothing`"),
    (["run", f"{examples}/01_hello/hello.nacre", "line", "x=absent.npy"], 1, "cannot open absent.npy"),
    (["test", "wrong.nacre"], 1, "unknown-name"),
]

refusals.check(nacre, folder, CASES, "nacre ")
