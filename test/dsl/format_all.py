"""Formats every .nacre file below some folders twice: the tree must stay, the second time must change nothing, no comment
may be lost and no line that could be broken may be too long.

    python format_all.py TOOL FOLDER ..
"""
import glob
import os
import subprocess
import sys
import tempfile

WIDTH = 110


def problem(tool, path, scratch):
    def run(verb, file):
        return subprocess.run([tool, verb, file], capture_output=True, text=True)

    tree = run("ast", path)
    if tree.returncode != 0:
        return None  # a test of syntax errors
    once = run("fmt", path)
    if once.returncode != 0:
        return f"is not formatted: {once.stderr}"
    with open(scratch, "w") as f:
        f.write(once.stdout)
    again = run("ast", scratch)
    if again.stdout != tree.stdout:
        return f"the tree changes: {again.stderr}"
    if run("fmt", scratch).stdout != once.stdout:
        return "formatting it twice is not the same as once"
    with open(path) as f:
        if f.read().count("#") != once.stdout.count("#"):
            return "comments were lost"
    for number, line in enumerate(once.stdout.splitlines(), 1):
        code = line.split("  #")[0]
        if len(code) > WIDTH and '"' not in code and not code.lstrip().startswith("#"):
            return f"line {number} of the result has {len(code)} columns"
    return ""


def main(tool, *folders):
    files = sorted(f for folder in folders for f in glob.glob(os.path.join(folder, "**", "*.nacre"), recursive=True))
    failures, seen = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            what = problem(tool, path, os.path.join(folder, "formatted.nacre"))
            seen += what is not None
            if what:
                failures += 1
                print(f"{path}: {what}")
    print(f"{seen} files")
    return failures > 0 or seen < 20


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
