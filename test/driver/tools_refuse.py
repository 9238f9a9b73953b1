"""What compare and profile refuse, one mistake at a time: tools_refuse.py NACRE FOLDER EXAMPLES."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import refusals

nacre, folder, examples = sys.argv[1:4]
mlp = f"{examples}/02_digits/mlp.nacre"
hello = f"{examples}/01_hello/hello.nacre"
with open(f"{folder}/text", "w") as f:
    f.write("no program\n")

CASES = [   # words, exit code, part of the message
    (["compare"], 2, "which file?"),
    (["compare", "absent.nacre"], 2, "absent.nacre"),
    (["compare", mlp, "nothing"], 2, "mlp has no entry `nothing`; it has "),
    (["compare", mlp, "predict", "other=[1]"], 2, "entry `predict` has no argument `other`"),
    (["compare", mlp, "predict", "classify"], 2, "`classify` is no name=value"),
    (["compare", mlp, "predict", "--size", "k=3"], 2, "--size k: entry `predict` has the sizes n"),
    (["compare", mlp, "predict", "--size", "n=1000000"], 2, "no sizes were found that keep"),
    (["compare", mlp, "--size", "n"], 2, "--size needs NAME=N, not `n`"),
    (["compare", mlp, "--tolerance", "small"], 2, "--tolerance needs a number such as 1e-4, not `small`"),
    (["compare", mlp, "--reference"], 2, "leave --reference out"),
    (["profile"], 2, "which file?"),
    (["profile", "absent"], 1, "cannot read absent"),
    (["profile", "text"], 1, "text is neither a model (.nacre) nor a program"),
    (["profile", "/bin/true", "predict"], 1, "was it built with `nacre build --profile`?"),
    (["profile", mlp], 1, "which entry? mlp has "),
    (["profile", mlp, "predict", "--reference"], 1, "the reference is not measured"),
    (["profile", mlp, "predict", "--calls", "0"], 2, "--calls"),
    (["profile", hello, "line", "x=[1]", "--calls", "1", "--trace", "absent/t.json"], 1, "cannot write absent/t.json"),
]

refusals.check(nacre, folder, CASES, "nacre ")
