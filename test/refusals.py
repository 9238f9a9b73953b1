"""A program with one mistake at a time: exit code, a part of the message, and no file left behind."""
import os
import subprocess
import sys


def check(program, folder, cases, title=""):
    """`cases`: words, exit code, part of what standard error says, which starts with `error`. Ends the process."""
    before, bad = sorted(os.listdir(folder)), 0
    for words, code, part in cases:
        run = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, errors="replace")
        if run.returncode != code or part not in run.stderr or not run.stderr.startswith("error"):
            print(f"{title}{' '.join(words)}: exit code {run.returncode}, expected {code} and {part!r}:\n{run.stdout}{run.stderr}")
            bad += 1
    left = sorted(set(os.listdir(folder)) - set(before))
    if left:
        print(f"left behind: {left}")
        bad += 1
    print(f"{len(cases) - bad} passed, {bad} failed")
    sys.exit(bad != 0)
