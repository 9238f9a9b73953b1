"""Gives each function of a file, real[n, m] to real, an entry with open sizes and one with 5 x 4: both must have the same value
and the same derivative, and that of central differences in f64; optimised and through the plain lowering.

    python open_sizes.py NACRE SOURCE FOLDER
"""
import os
import re
import subprocess
import sys

import numpy as np

CUT = {"cut"}   # its derivative is not that of differences: that is what stop_grad is for


def main():
    nacre, source, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    with open(source, encoding="utf-8") as f:
        text = f.read()
    names = re.findall(r"^fn (\w+)\(x: real\[n, m\]\) -> real ", text, re.MULTILINE)
    for name in names:
        for form, shape, where in ("open", "n, m", " where n in 3..16, m <= 8"), ("known", "5, 4", ""):
            text += (f"entry {name}_{form}(x: f64[{shape}]) -> (y: f64, dx: f64[{shape}]){where} {{\n"
                     f"  let e = {name}(x)\n  return (y = e, dx = grad(e, x))\n}}\n")
    copy, program = os.path.join(folder, "open_sizes.nacre"), os.path.join(folder, "program")
    with open(copy, "w", encoding="utf-8") as f:
        f.write(text)
    draw = np.random.default_rng(1)
    x, way = 0.8 * draw.normal(size=(5, 4)), draw.normal(size=(5, 4))
    wrong = 0

    def call(entry, x):
        np.save(os.path.join(folder, "x.npy"), x)
        subprocess.run([program, entry, f"x={folder}/x.npy", "--out", folder], check=True, stdout=subprocess.DEVNULL)
        return np.load(os.path.join(folder, "y.npy")), np.load(os.path.join(folder, "dx.npy"))

    for mode in [], ["--reference"]:
        subprocess.run([nacre, "build", "--real=f64", *mode, copy, "-o", program], check=True)
        for name in names:
            (y, dx), (known_y, known_dx) = call(f"{name}_open", x), call(f"{name}_known", x)
            slope = (call(f"{name}_open", x + 1e-6 * way)[0] - call(f"{name}_open", x - 1e-6 * way)[0]) / 2e-6
            size = np.abs(known_dx).max()
            problems = [what for what, off in (("its value", abs(y - known_y) / (1 + abs(known_y))),
                                               ("its derivative", np.abs(dx - known_dx).max() / size)) if not off < 1e-12]
            if name not in CUT and not abs(slope - (dx * way).sum()) < 1e-6 * size * np.abs(way).sum():
                problems.append("differences")
            wrong += bool(problems)
            if problems:
                print(f"{name} {' '.join(mode)}: {', '.join(problems)}")
    print(f"{len(names)} functions, {wrong} wrong")
    sys.exit(1 if wrong or not names else 0)


main()
