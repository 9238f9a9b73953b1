"""Runs the entries of one file on the inputs of its goldens and compares every result with PyTorch's.

    python check.py NACRE layers|losses|models|functions FOLDER [NACRE-FLAG ...]

A difference counts against the largest magnitude of its tensor; results are f32, the goldens were computed in f64.
"""
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np

import formula
import safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
WITHIN = 2e-5


def weights_of(name, folder):
    """The file of the weights: a golden, or names and shapes that formula.py fills; None where there are none."""
    kept, listed = (os.path.join(HERE, "goldens", f"{name}_weights.{kind}") for kind in ("safetensors", "json"))
    if not os.path.exists(listed):
        return kept if os.path.exists(kept) else None
    path = os.path.join(folder, f"{name}_weights.safetensors")
    with open(listed, encoding="utf-8") as f:
        safetensors.save(path, {key: formula.tensor(key, shape) for key, shape in json.load(f).items()})
    return path


def main():
    nacre, name, folder, *flags = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    goldens = safetensors.load(os.path.join(HERE, "goldens", f"{name}.safetensors"))
    weights = weights_of(name, folder)
    program = os.path.join(folder, name)
    subprocess.run([nacre, "build", *flags, os.path.join(HERE, "Inputs", f"{name}.nacre"), "-o", program], check=True)
    cases = {}
    for key, value in goldens.items():
        case, kind, part = key.split(".", 2)
        cases.setdefault(case, {"in": {}, "out": {}})[kind][part] = value
    with open(os.path.join(HERE, "Inputs", f"{name}.nacre"), encoding="utf-8") as f:
        entries = set(re.findall(r"^entry (\w+)", f.read(), re.MULTILINE))
    if entries != set(cases):
        sys.exit(f"{name}.nacre and its goldens differ in {sorted(entries ^ set(cases))}")
    failures, compared, worst = 0, 0, 0.0
    for case, parts in cases.items():
        arguments = []
        for part, value in parts["in"].items():
            path = os.path.join(folder, f"{part}.npy")
            np.save(path, value)
            arguments.append(f"{part}={path}")
        results = os.path.join(folder, "results", case)
        shutil.rmtree(results, ignore_errors=True)
        os.makedirs(results)
        command = [program, case, *arguments, "--out", results]
        run = subprocess.run(command + (["--weights", weights] if weights else []), capture_output=True, text=True)
        if run.returncode:
            print(f"{case}: ended with {run.returncode}: {run.stderr.strip()}")
            failures += 1
            continue
        if {f"{part}.npy" for part in parts["out"]} != set(os.listdir(results)):
            print(f"{case}: gives {sorted(os.listdir(results))}, PyTorch {sorted(parts['out'])}")
            failures += 1
            continue
        for part, want in parts["out"].items():
            got = np.load(os.path.join(results, f"{part}.npy"))
            if got.shape != want.shape:
                print(f"{case}.{part}: shape {list(got.shape)}, PyTorch has {list(want.shape)}")
                failures += 1
                continue
            error = float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-6))
            compared += 1
            worst = max(worst, error)
            if not error <= WITHIN:
                print(f"{case}.{part}: differs by {error:.1e} of the largest magnitude")
                failures += 1
    print(f"{name}: {len(cases)} cases, {compared} tensors, largest difference {worst:.1e}, {failures} wrong")
    sys.exit(1 if failures or not compared else 0)


if __name__ == "__main__":
    main()
