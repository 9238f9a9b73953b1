"""Compiles each file four times and compares the objects.

    python same_bytes.py NACRE FILE...

Between the runs the environment differs in size, which moves the stack, beside what the loader moves by itself.
"""
import os
import subprocess
import sys

nacre, *files = sys.argv[1:]
for file in files:
    seen = set()
    for run in range(4):
        subprocess.run([nacre, "build", "--cpu=x86-64-v3", "--emit=object", "-o", "same.o", file], check=True,
                       env={**os.environ, "PADDING": "x" * 977 * run})
        with open("same.o", "rb") as f:
            seen.add(f.read())
    assert len(seen) == 1, f"{file}: {len(seen)} different objects from four runs"
