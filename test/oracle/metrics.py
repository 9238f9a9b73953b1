"""Accuracy, precision, recall, F1 and the confusion matrix against scikit-learn's (goldens/metrics.json), to the last digits of f64.

    python metrics.py NACRE FOLDER
"""
import json
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    nacre, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    program = os.path.join(folder, "metrics")
    subprocess.run([nacre, "build", os.path.join(HERE, "Inputs", "metrics.nacre"), "-o", program], check=True)
    with open(os.path.join(HERE, "goldens", "metrics.json"), encoding="utf-8") as f:
        cases = json.load(f)
    compared = 0
    for number, case in enumerate(cases):
        for name in "label", "guess":
            np.save(os.path.join(folder, f"{name}.npy"), np.array(case[name], np.int32))
        subprocess.run([program, "scores", f"label={folder}/label.npy", f"guess={folder}/guess.npy", "--out", folder], check=True,
                       stdout=subprocess.DEVNULL)
        for name, want in case["scores"].items():
            got = np.load(os.path.join(folder, f"{name}.npy"))
            assert got.dtype == np.float64 and np.allclose(got, want, rtol=1e-14, atol=1e-15), \
                f"set {number}: {name} is {got}, scikit-learn says {want}"
            compared += 1
    assert compared
    print(f"{compared} scores of {len(cases)} sets of guesses equal scikit-learn's")


if __name__ == "__main__":
    main()
