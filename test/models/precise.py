"""Builds a model file for `--precise` and for `--reference` and compares the results of an entry, bit for bit.

    python precise.py NACRE FOLDER FILE ENTRY [--set NAME=value ..] name=extents ..
"""
import os
import re
import subprocess
import sys

import numpy as np

nacre, folder, path, entry, *rest = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
with open(path) as f:
    source = re.sub(r'^ *load "weights.*\n', "", f.read(), flags=re.M)  # drawn from the seed instead
copy = os.path.join(folder, os.path.basename(path))
with open(copy, "w") as f:
    f.write(source)
random = np.random.default_rng(5)
flags, inputs = [], []
for word in rest:
    if re.fullmatch(r"\w+=\d+(x\d+)*", word) and (not flags or flags[-1] != "--set"):
        name, extents = word.split("=")
        file = os.path.join(folder, f"{name}.npy")
        np.save(file, random.normal(size=[int(e) for e in extents.split("x")]).astype(np.float32))
        inputs.append(f"{name}={file}")
    else:
        flags.append(word)
results = {}
for mode in "--reference", "--precise":
    out = os.path.join(folder, mode[2:])
    subprocess.run([nacre, "run", copy, mode, *flags, entry, *inputs, "--seed", "1", "--out", out], check=True)
    results[mode] = {name: np.load(os.path.join(out, name)) for name in os.listdir(out)}
wrong = 0
for name, expected in results["--reference"].items():
    got = results["--precise"][name]
    same = got.tobytes() == expected.tobytes() and np.isfinite(expected).all()
    print(f"{entry} {name}: {expected.shape} " + ("same bits" if same else f"{int((got != expected).sum())} differ"))
    wrong += not same
sys.exit(1 if wrong or not results["--reference"] else 0)
