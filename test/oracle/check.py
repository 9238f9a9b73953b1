"""Runs the entries of one file on the inputs of its goldens and compares every result with PyTorch's.

    python check.py NACRE layers|losses FOLDER [NACRE-FLAG ...]

A difference counts against the largest magnitude of its tensor; results are f32, the goldens were computed in f64.
"""
import os
import subprocess
import sys

import numpy as np

import safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
WITHIN = 2e-5


def main():
    nacre, name, folder, *flags = sys.argv[1:]
    os.makedirs(os.path.join(folder, "results"), exist_ok=True)
    goldens = safetensors.load(os.path.join(HERE, "goldens", f"{name}.safetensors"))
    weights = os.path.join(HERE, "goldens", f"{name}_weights.safetensors")
    program = os.path.join(folder, name)
    subprocess.run([nacre, "build", *flags, os.path.join(HERE, "Inputs", f"{name}.nacre"), "-o", program], check=True)
    cases = {}
    for key, value in goldens.items():
        case, kind, part = key.split(".", 2)
        cases.setdefault(case, {"in": {}, "out": {}})[kind][part] = value
    failures, compared, worst = 0, 0, 0.0
    for case, parts in cases.items():
        arguments = []
        for part, value in parts["in"].items():
            path = os.path.join(folder, f"{part}.npy")
            np.save(path, value)
            arguments.append(f"{part}={path}")
        command = [program, case, *arguments, "--out", os.path.join(folder, "results")]
        run = subprocess.run(command + (["--weights", weights] if os.path.exists(weights) else []), capture_output=True, text=True)
        if run.returncode:
            print(f"{case}: ended with {run.returncode}: {run.stderr.strip()}")
            failures += 1
            continue
        for part, want in parts["out"].items():
            got = np.load(os.path.join(folder, "results", f"{part}.npy"))
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
