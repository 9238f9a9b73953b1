"""Ten steps of every optimiser, against PyTorch's: each weight after each step within 1e-5 of the tensor's largest magnitude.

    python trajectories.py NACRE FOLDER
"""
import os
import re
import subprocess
import sys

import numpy as np

import safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
WITHIN = 1e-5


def main():
    nacre, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    source, goldens = os.path.join(HERE, "Inputs", "optimizers.nacre"), os.path.join(HERE, "goldens")
    expected = safetensors.load(os.path.join(goldens, "optimizers.safetensors"))
    with open(source, encoding="utf-8") as f:
        names = re.findall(r"^train (\w+) on", f.read(), re.MULTILINE)
    assert set(names) == {name.split(".")[0] for name in expected}, "optimizers.nacre and the goldens name different optimisers"
    program = os.path.join(folder, "optimizers")
    subprocess.run([nacre, "build", "--cpu=native", source, "-o", program], check=True)
    failures = 0
    for name in names:
        worst = 0.0
        for step in range(1, 11):
            out = os.path.join(folder, "weights.safetensors")
            subprocess.run([program, "train", name, "--steps", str(step), "--out", out, "--quiet", "--data-dir", HERE,
                            "--weights", os.path.join(goldens, "optimizers_weights.safetensors")],
                           check=True, stdout=subprocess.DEVNULL)
            got = safetensors.load(out)
            for path in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"):
                want = expected[f"{name}.{step}.{path}"]
                worst = max(worst, float(np.abs(got[path] - want).max() / np.abs(want).max()))
        print(f"{name:16} largest difference {worst:.1e} of the largest magnitude")
        failures += not worst <= WITHIN
    sys.exit(1 if failures or not names else 0)


if __name__ == "__main__":
    main()
