"""Ten steps of each train block of a file, against PyTorch's: every weight after each step within 1e-5 of the largest
magnitude of its tensor; then what dropout does to a weight.

    python trajectories.py NACRE optimizers|training FOLDER
"""
import json
import os
import re
import subprocess
import sys

import numpy as np

import safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
WITHIN = 1e-5
STEPS = 10


def train(program, name, steps, weights, out):
    run = subprocess.run([program, "train", name, "--steps", str(steps), "--out", out, "--quiet", "--json", "--data-dir", HERE,
                          "--weights", weights], check=True, stdout=subprocess.PIPE, text=True)
    return safetensors.load(out), json.loads(run.stdout.splitlines()[-1])


def largest_difference(program, folder, name, expected):
    """`expected`: step -> path -> tensor. Step 0, if it is there, has the first weights; else all blocks begin alike."""
    start = os.path.join(HERE, "goldens", "optimizers_weights.safetensors")
    if 0 in expected:
        start = os.path.join(folder, f"{name}_start.safetensors")
        safetensors.save(start, expected[0])
    worst = 0.0
    for step in range(1, STEPS + 1):
        got, _ = train(program, name, step, start, os.path.join(folder, "weights.safetensors"))
        assert set(got) == set(expected[step]), f"{name} has weights {sorted(got)}, PyTorch {sorted(expected[step])}"
        for path, want in expected[step].items():
            worst = max(worst, float(np.abs(got[path] - want).max() / np.abs(want).max()))
    return worst


def thinned(program, folder):
    """loss = Σ w m / 0.7 with m in {0, 1}, and w falls by its derivative: the same m / 0.7 must be in both."""
    start = os.path.join(folder, "thinned_start.safetensors")
    before = np.random.default_rng(2).uniform(1, 2, (40, 50)).astype(np.float32)
    safetensors.save(start, {"weight": before})
    after, said = train(program, "thinned", 1, start, os.path.join(folder, "weights.safetensors"))
    kept = before - after["weight"] > 0.5
    assert np.allclose(after["weight"], before - kept / 0.7, atol=1e-6), "a derivative is neither 0 nor 1 / (1 - p)"
    assert abs(said["loss"] / (before[kept] / 0.7).sum(dtype=np.float64) - 1) < 1e-5, "forward and backward drop other units"
    share, spread = 1 - kept.mean(), np.sqrt(0.3 * 0.7 / kept.size)
    assert abs(share - 0.3) < 4 * spread, f"{share:.3f} of the units are dropped"
    rows, columns = kept.mean(1), kept.mean(0)
    assert rows.std() < 1.5 * np.sqrt(0.21 / 50) and columns.std() < 1.5 * np.sqrt(0.21 / 40), "rows or columns drop together"
    print(f"{'thinned':16} {100 * share:.1f} % dropped, forward and backward alike")


def main():
    nacre, file, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    source = os.path.join(HERE, "Inputs", f"{file}.nacre")
    expected = {}
    for key, value in safetensors.load(os.path.join(HERE, "goldens", f"{file}.safetensors")).items():
        name, step, path = key.split(".", 2)
        expected.setdefault(name, {}).setdefault(int(step), {})[path] = value
    with open(source, encoding="utf-8") as f:
        names = set(re.findall(r"^train (\w+) on", f.read(), re.MULTILINE)) - {"thinned"}
    assert names == set(expected), f"{file}.nacre and the goldens name different blocks"
    program = os.path.join(folder, file)
    subprocess.run([nacre, "build", "--cpu=native", source, "-o", program], check=True)
    failures = 0
    for name in sorted(names):
        worst = largest_difference(program, folder, name, expected[name])
        print(f"{name:16} largest difference {worst:.1e} of the largest magnitude")
        failures += not worst <= WITHIN
    if file == "training":
        thinned(program, folder)
    sys.exit(1 if failures or not names else 0)


if __name__ == "__main__":
    try:
        main()
    except AssertionError as problem:
        sys.exit(f"trajectories.py: {problem}")
