"""AlexNet, VGG-16 and the ResNets at 224 x 224 against PyTorch's logits, and slopes of the first two (goldens/large.json).

    python large.py NACRE FOLDER NAME...      NAME: resnet18 resnet50 alexnet vgg16

Writes each network's weights from formula.py into FOLDER, under the names of torchvision, and removes them afterwards.
"""
import json
import os
import re
import subprocess
import sys
import time

import numpy as np

import formula
import safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
# Of the largest number: up to 50 layers in f32 against f64. Among millions of rectified units a few stand so near 0 that the two
# fall on different sides; each changes a slope by some 1e-3, of PyTorch in f32 as of ours.
WITHIN = {"logits": 2e-4, "slope": 1e-2}


def program(nacre, folder, name):
    """A program of one network, cut out of large.nacre so that no other weights are asked for."""
    with open(os.path.join(HERE, "Inputs", "large.nacre"), encoding="utf-8") as f:
        declarations = re.split(r"^(?=model |entry )", f.read(), flags=re.MULTILINE)
    lines = [d for d in declarations if not d.startswith(("model ", "entry ")) or name in d]
    source = os.path.join(folder, f"{name}.nacre")
    with open(source, "w", encoding="utf-8") as f:
        f.writelines(lines)
    start = time.perf_counter()
    subprocess.run([nacre, "build", "--cpu=native", source, "-o", os.path.join(folder, name)], check=True)
    return os.path.join(folder, name), time.perf_counter() - start


def main():
    nacre, folder, *names = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(HERE, "goldens", "large.json"), encoding="utf-8") as f:
        goldens = json.load(f)
    np.save(os.path.join(folder, "x.npy"), formula.image(1, 224))
    failures = 0
    for name in names:
        path, seconds = program(nacre, folder, name)
        weights = os.path.join(folder, f"{name}.safetensors")
        safetensors.save(weights, {key: formula.tensor(key, shape) for key, shape in goldens[name]["weights"].items()})
        errors = {}
        try:
            for part, entry in ("logits", f"{name}_logits"), ("slope", f"{name}_slope"):
                if part in goldens[name]:
                    subprocess.run([path, entry, f"x={folder}/x.npy", "--weights", weights, "--out", folder], check=True,
                                   stdout=subprocess.DEVNULL)
                    got, want = np.load(os.path.join(folder, "result.npy")), np.array(goldens[name][part])
                    errors[part] = float(np.abs(got - want).max() / np.abs(want).max()) if got.shape == want.shape else np.inf
        finally:
            os.remove(weights)
        print(f"{name}: built in {seconds:.1f} s, " + ", ".join(f"{part} within {error:.1e}" for part, error in errors.items())
              + " of the largest")
        failures += not all(error <= WITHIN[part] for part, error in errors.items())
    sys.exit(1 if failures or not names else 0)


if __name__ == "__main__":
    main()
