"""Every scalar primitive and reduction with a derivative stands in a gradient check of this folder.

    python every_primitive.py SOURCE-TREE

A new line of dsl/program/Primitives.def therefore needs one, or a reason below.
"""
import glob
import os
import re
import sys

# How the language writes what the table calls otherwise.
WRITTEN = {"neg": r"-\w", "add": r"\w \+ ", "sub": r"\w - ", "mul": r"\w \* ", "div": r"\w / ", "pow": r"\w\^", "minimum": r"\bmin\(",
           "maximum": r"\bmax\("}
# Integers, or what no derivative passes.
WITHOUT = {"floordiv", "rem", "random_bits", "argmax", "argmin", "any", "all"}


def main():
    (source,) = sys.argv[1:]
    with open(os.path.join(source, "dsl", "program", "Primitives.def"), encoding="utf-8") as f:
        table = f.read()
    primitives = re.findall(r'^PRIMITIVE\(\w+,\s*"(\w+)",\s*\d,\s*(?!Boolean)\w+\)', table, re.MULTILINE)
    reductions = re.findall(r'^REDUCTION\(\w+,\s*"(\w+)"\)', table, re.MULTILINE)
    checks = ""
    for path in glob.glob(os.path.join(source, "test", "gradients", "*.nacre")):
        with open(path, encoding="utf-8") as f:
            checks += "".join(re.findall(r"gradcheck\((.*)", f.read()))
    missing = [name for name in primitives if name not in WITHOUT and not re.search(WRITTEN.get(name, rf"\b{name}\("), checks)]
    missing += [f"{name}[..]" for name in reductions if name not in WITHOUT and not re.search(rf"\b{name}\[", checks)]
    if missing or not primitives or not reductions:
        sys.exit(f"no gradient check of {', '.join(missing)}")
    print(f"{len(primitives)} primitives and {len(reductions)} reductions")


main()
