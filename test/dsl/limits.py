"""Every construct that makes the parser or the tree recurse: nested 200 deep it is read, 5,000 deep it is refused with
nesting-too-deep; long files and lists are no nesting.

    python limits.py TOOL
"""
import os
import subprocess
import sys
import tempfile

NESTED = {
    "parentheses": lambda n: "const x = " + "(" * n + "1" + ")" * n,
    "calls": lambda n: "const x = " + "f(" * n + "1" + ")" * n,
    "lists": lambda n: "const x = " + "[" * n + "1" + "]" * n,
    "subscripts": lambda n: "const x = " + "y[" * n + "1" + "]" * n,
    "record types": lambda n: "const x: " + "(" * n + "real" + ")" * n + " = 1",
    "function types": lambda n: "const x: " + "fn() -> " * n + "real = 1",
    "minus": lambda n: "const x = " + "- " * n + "1",
    "not": lambda n: "const x = " + "not " * n + "true",
    "powers": lambda n: "const x = " + "2 ^ " * n + "1",
    "functions of functions": lambda n: "const x = " + "a => " * n + "1",
    "choices": lambda n: "const x = " + "if a then b else " * n + "1",
    "conditions": lambda n: "const x = " + "if " * n + "a" + " then b else c" * n,
    "loops": lambda n: "const x = " + "for a in " * n + "s" + " { }" * n,
    "else if": lambda n: "fn f(x: real) -> real { " + "if a { return x } else " * n + "{ return x } }",
    "blocks": lambda n: "fn f(x: real) -> real " + "{ for i in s " * (n // 2) + "{ }" + "}" * (n // 2),
    "unclosed": lambda n: "const x = " + "(" * n,
}
CHAINED = {  # read by a loop, but a tree as deep as the chain is long: 900 and 5,000
    "sums": lambda n: "const x = 1" + " + 1" * n,
    "pipes": lambda n: "const x = y" + " |> f" * n,
    "members": lambda n: "const x = y" + ".z" * n,
    "elements": lambda n: "fn f(x: real) -> real { y" + "[0]" * n + " = 1 }",
}
LONG = {
    "statements": lambda n: "fn f(h: real) -> real { " + "h = -h ^ 2\n" * n + "return h }",
    "ifs": lambda n: "fn f(h: real) -> real { " + "if not h { h = -h }\n" * n + "return h }",
    "declarations": lambda n: "extern fn f() -> real\n" * n,
    "elements": lambda n: "const x = [" + "-1, " * n + "]",
    "attributes": lambda n: "@keep " * n + "fn f() -> real = 1",
}


def main(tool):
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "deep.nacre")

        def read(text):
            with open(path, "w") as f:
                f.write(text)
            return subprocess.run([tool, "ast", path], capture_output=True, text=True)

        def accepts(name, text):
            run = read(text)
            if run.returncode != 0:
                failures.append(f"{name} should be read: {run.returncode} {run.stderr[:300]}")

        def refuses(name, text):
            run = read(text)
            if run.returncode != 1 or "error[nesting-too-deep]" not in run.stderr:
                failures.append(f"{name} should be nested too deeply: {run.returncode} {run.stderr[:300]}")

        for name, make in NESTED.items():
            if name != "unclosed":
                accepts(name, make(200))
            refuses(name, make(5000))
        for name, make in CHAINED.items():
            accepts(name, make(900))
            refuses(name, make(5000))
        for name, make in LONG.items():
            accepts(name, make(20000))
    print("\n".join(failures) or "all limits hold")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
