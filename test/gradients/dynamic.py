"""Runs every pair of entries `*_dynamic` and `*_static` on the same numbers and compares their results."""
import os
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ops"))
from check import write_safetensors  # noqa: E402

WEIGHTS = {
    "mlp": {"fc1.weight": (5, 6), "fc1.bias": (5,), "norm.weight": (5,), "norm.bias": (5,), "fc2.weight": (4, 5), "fc2.bias": (4,)},
    "net": {"c.weight": (4, 3, 3, 3), "c.bias": (4,)},
    "up": {"t.weight": (3, 2, 3, 3), "t.bias": (2,)},
    "plain": {"c.weight": (4, 3, 3, 3), "c.bias": (4,)},
}
INPUTS = {"mlp": {"x": (3, 6), "label": (3,)}, "net": {"x": (2, 8, 7, 3)}, "plain": {"x": (2, 5, 6, 3)}, "pools": {"x": (2, 9, 8, 3)},
          "loops": {"x": (6, 2, 3), "w": (3, 3)}, "places": {"x": (5, 4), "id": (5,), "table": (4, 3)}, "up": {"x": (2, 4, 5, 3)}}


def main():
    nacre, source, folder = sys.argv[1:]
    wrong = 0
    os.makedirs(folder, exist_ok=True)
    for mode in [], ["--reference"]:
        program = os.path.join(folder, "dynamic")
        subprocess.run([nacre, "build", source, *mode, "-o", program], check=True)
        draw = np.random.default_rng(3)
        weights = []
        for model, shapes in WEIGHTS.items():
            path = os.path.join(folder, model + ".safetensors")
            write_safetensors(path, {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})
            weights += ["--weights", f"{model}={path}"]
        for name, inputs in INPUTS.items():
            arguments = []
            for argument, shape in inputs.items():
                array = draw.integers(0, 4, shape).astype(np.int32) if argument in ("label", "id") else draw.normal(size=shape).astype(np.float32)
                path = os.path.join(folder, argument + ".npy")
                np.save(path, array)
                arguments.append(f"{argument}={path}")
            results = {}
            for form in "dynamic", "static":
                out = os.path.join(folder, f"{name}_{form}")
                os.makedirs(out, exist_ok=True)
                run = subprocess.run([program, f"{name}_{form}", *arguments, *weights, "--out", out], capture_output=True, text=True)
                if run.returncode != 0:
                    sys.exit(f"{name}_{form} ended with {run.returncode}: {run.stderr}")
                results[form] = {file: np.load(os.path.join(out, file)) for file in sorted(os.listdir(out))}
            for file, expected in results["static"].items():
                got = results["dynamic"][file]
                if got.shape != expected.shape or not np.allclose(got, expected, rtol=1e-4, atol=1e-5) or not np.abs(expected).max() > 0:
                    wrong += 1
                    print(f"{name} {' '.join(mode)}: {file} differs")
    sys.exit(1 if wrong else 0)


main()
