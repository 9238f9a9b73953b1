"""Every kind of Kinds.def has a golden test of its own whose expected text shows it, and `explain` tells its story.

    python every_kind.py Kinds.def TOOL
"""
import os
import re
import subprocess
import sys

ROOM = os.path.dirname(os.path.abspath(__file__))


def main(table, tool):
    with open(table) as f:
        kinds = re.findall(r'^KIND\(\w+,\s*"([^"]+)",\s*(Error|Warning)', f.read(), re.MULTILINE)
    problems = [] if len(kinds) > 20 else [f"only {len(kinds)} kinds were found in {table}"]
    for kind, severity in kinds:
        path = os.path.join(ROOM, kind + ".nacre")
        if not os.path.exists(path):
            problems.append(f"{kind}: no test/errors/{kind}.nacre")
        else:
            with open(path, encoding="utf-8", errors="replace") as f:
                expected = "".join(line[3:] for line in f if line.startswith("#| "))
            if f"{severity.lower()}[{kind}]" not in expected:
                problems.append(f"{kind}: the expected text of its test does not show `{severity.lower()}[{kind}]`")
        told = subprocess.run([tool, "explain", kind], capture_output=True, text=True)
        if told.returncode != 0 or kind not in told.stdout or len(told.stdout.splitlines()) < 3:
            problems.append(f"{kind}: `explain {kind}` says too little:\n{told.stdout}{told.stderr}")
    unknown = subprocess.run([tool, "explain", "no-such-kind"], capture_output=True, text=True)
    if unknown.returncode == 0 or "no-such-kind" not in unknown.stderr:
        problems.append("`explain no-such-kind` must fail and name what it was asked")
    print("\n".join(problems) or f"{len(kinds)} kinds, each with its test and its story")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
