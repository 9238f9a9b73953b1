"""AlexNet, VGG-16 and the ResNets at 224 x 224 against PyTorch's logits (goldens/large.json).

    python large.py NACRE FOLDER NAME...      NAME: resnet18 resnet50 alexnet vgg16

Writes each network's weights from formula.py into FOLDER, under the names of torchvision, and removes them afterwards.
"""
import json
import os
import subprocess
import sys
import time

import numpy as np

import formula
import safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
WITHIN = 2e-4   # of the largest logit: up to 50 layers in f32 against f64


def program(nacre, folder, name):
    """A program of one network, cut out of large.nacre so that no other weights are asked for."""
    with open(os.path.join(HERE, "Inputs", "large.nacre"), encoding="utf-8") as f:
        lines = [line for line in f if not line.startswith(("model ", "entry ")) or name in line]
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
        try:
            subprocess.run([path, f"{name}_logits", f"x={folder}/x.npy", "--weights", weights, "--out", folder], check=True,
                           stdout=subprocess.DEVNULL)
        finally:
            os.remove(weights)
        want = np.array(goldens[name]["logits"])
        got = np.load(os.path.join(folder, "result.npy"))
        error = float(np.abs(got - want).max() / np.abs(want).max()) if got.shape == want.shape else np.inf
        print(f"{name}: built in {seconds:.1f} s, logits within {error:.1e} of the largest")
        failures += not error <= WITHIN
    sys.exit(1 if failures or not names else 0)


if __name__ == "__main__":
    main()
