"""Which case of this room compares which declaration of the library with an oracle: the table COVERAGE.md.

    python coverage.py            # fails where a declaration has no case, or the table is not what the sources say
    python coverage.py --write    # rewrites the table

Every public `fn` and `layer` of stdlib/ needs a line of documentation and a case, and what stands between a weight and a
loss needs one that takes a derivative. A case is an entry or a train block of Inputs/; that each has its goldens, and that
all its results are compared, is what the tests themselves insist on. A function that only serves its neighbours may be
reached through them.
"""
import argparse
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.path.join(HERE, "..", "..", "stdlib")
TABLE = os.path.join(HERE, "COVERAGE.md")
DIFFERENTIATED = ("activations", "layers/", "losses/", "models/")
# The file of Inputs/ -> the test that runs it, and words of its RUN line.
TESTS = {"layers": ("gradients.test", "check.py %nacre layers"), "losses": ("gradients.test", "check.py %nacre losses"),
         "functions": ("gradients.test", "check.py %nacre functions"), "models": ("gradients.test", "check.py %nacre models"),
         "attention": ("gradients.test", "check.py %nacre attention"),
         "optimizers": ("trajectories.test", "trajectories.py %nacre optimizers"),
         "training": ("trajectories.test", "trajectories.py %nacre training"), "draws": ("draws.test", "draws.py %nacre"),
         "metrics": ("metrics.test", "metrics.py %nacre"), "large": ("large.test", "large.py %nacre")}
# Tests of this room that write their source themselves.
SCRIPTS = {"plateau": "plateaus.py"}
SHOWN = 3   # cases named in a row


class Declaration:
    def __init__(self, kind, name, text):
        self.kind, self.name, self.text = kind, name, text
        # What is applied or handed over: `f(..)`, `f[..]`, `|> f`, `label: F`, but not `net.f(..)`.
        self.called = set(re.findall(r"(?<![.\w])(\w+)(?=\s*[\[(])", text)) | set(re.findall(r"(?:\|>|:)\s*(\w+)(?![.\w])", text)) - {name}
        self.parts = set(re.findall(r"(?<![.\w])(\w+)\.(\w+)", text))   # net.conv
        self.uses = dict(re.findall(r"^\s*use (\w+) = (.*)$", text, re.MULTILINE))


def declarations(path):
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"#.*", "", f.read())
    text = text.split('\ntest "')[0] if "stdlib" in path else text
    found = re.split(r"^(?:@.*\n)?(?=(?:fn|layer|entry|train|model|data|const) )", text, flags=re.MULTILINE)
    heads = ((re.match(r"(\w+) (\w+)", part), part) for part in found)
    return [Declaration(head.group(1), head.group(2), part[head.end():]) for head, part in heads if head]


def reached(case, local):
    """Every name that a case applies, through the functions, layers and models of its own file."""
    names, waiting = set(), [case]
    seen = set()
    while waiting:
        d = waiting.pop()
        if d.name in seen:
            continue
        seen.add(d.name)
        names |= d.called
        models = {name for name in local if local[name].kind == "model"}
        whole = {name for name in models if re.search(rf"(?<![.\w]){name}\(", d.text)}   # net(x)
        if d.kind == "train":
            whole |= models & set(re.findall(r"\w+", d.text.split("{")[0])) - {m for m, _ in d.parts}
        for name in d.called | whole:
            if name in local and local[name].kind in ("fn", "layer", "model"):
                waiting.append(local[name])
        for name, part in d.parts:   # net.conv: what stands behind `use conv = ` in the layer of the model
            if name in models and name not in whole:
                for layer in local[name].called & set(local):
                    if part in local[layer].uses:
                        names |= Declaration("use", part, "= " + local[layer].uses[part]).called
                    else:
                        waiting.append(local[layer])
                names |= local[name].called - set(local)
    return names


def cases():
    """name of the library -> [(file, case, whether it takes a derivative)]"""
    found = {}
    for file, (test, words) in TESTS.items():
        with open(os.path.join(HERE, test), encoding="utf-8") as f:
            run = f.read()
        assert words in run, f"{test} does not run {file}.nacre"
        local = {d.name: d for d in declarations(os.path.join(HERE, "Inputs", f"{file}.nacre")) if d.kind not in ("entry", "train")}
        for case in declarations(os.path.join(HERE, "Inputs", f"{file}.nacre")):
            if case.kind in ("entry", "train"):
                case.name += " (`make examples`)" if file == "large" and case.name.split("_")[0] not in run else ""
                slope = "grad(" in case.text if case.kind == "entry" else "loss(" in case.text or "step(" in case.text
                for name in reached(case, local):
                    found.setdefault(name, []).append((file, case.name, slope))
    for path in glob.glob(os.path.join(HERE, "Inputs", "*.nacre")):
        assert os.path.basename(path)[:-6] in TESTS, f"no test runs {path}"
    return found


def rows(found):
    """(file of the library, name, cases of its value, cases of its derivative, problem)"""
    for path in sorted(glob.glob(os.path.join(LIBRARY, "**", "*.nacre"), recursive=True)):
        file = os.path.relpath(path, LIBRARY)
        with open(path, encoding="utf-8") as f:
            said = set(re.findall(r"^## (?!----).*\n(?:@.*\n)*(?:fn|layer) (\w+)", f.read(), re.MULTILINE))
        public = [d for d in declarations(path) if d.kind in ("fn", "layer") and not d.name.startswith("_")]
        for d in public:
            hits = found.get(d.name, [])
            through = [other.name for other in public if other is not d and d.name in other.called and found.get(other.name)]
            if hits:
                value = list(dict.fromkeys(f"{f}: {case}" for f, case, _ in hits))
                slope = list(dict.fromkeys(f"{f}: {case}" for f, case, slope in hits if slope))
            elif d.name in SCRIPTS:
                with open(os.path.join(HERE, SCRIPTS[d.name]), encoding="utf-8") as f:
                    value = slope = [f"`{SCRIPTS[d.name]}`"] if f"{d.name}[" in f.read() else []
            else:
                value = slope = [f"through `{through[0]}`"] if through else []
            needed = file.startswith(DIFFERENTIATED)
            problem = ("has no documentation above it" if d.name not in said else "has no case in test/oracle" if not value else
                       "has no case with a derivative in test/oracle" if needed and not slope else None)
            yield file, d.name, value, slope if needed else ["-"], problem


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    table = list(rows(cases()))
    lines = ["# What each declaration of the library is compared with", "",
             "Written by `coverage.py --write` and held against the sources by `coverage.test`. A case is an entry or a train block of",
             "`Inputs/FILE.nacre`, named FILE: CASE; its goldens come from PyTorch, metrics from scikit-learn.", "",
             "| library | declaration | value | derivative |", "|---|---|---|---|"]
    last = None
    for file, name, value, slope, _ in table:
        def short(list):
            return ", ".join(list[:SHOWN]) + (f" and {len(list) - SHOWN} more" if len(list) > SHOWN else "")
        lines.append(f"| {f'`{file}`' if file != last else ''} | `{name}` | {short(value)} | {short(slope)} |")
        last = file
    text = "\n".join(lines) + "\n"
    wrong = [f"{file}: `{name}` {problem}" for file, name, _, _, problem in table if problem]
    if options.write:
        with open(TABLE, "w", encoding="utf-8") as f:
            f.write(text)
    else:
        with open(TABLE, encoding="utf-8") as f:
            if f.read() != text:
                wrong.append("COVERAGE.md is not what the sources say: python test/oracle/coverage.py --write")
    print("\n".join(wrong) if wrong else f"{len(table)} declarations of the library, each with its case")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
