"""Metrics against scikit-learn's (goldens/metrics.json): of whole tables of guesses to the last digits of f64; and of every
metric layer what the trainer has counted after four batches, of which the last is smaller.

    python metrics.py NACRE FOLDER
"""
import json
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def tables(program, folder, cases):
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


def layers(program, folder, case):
    """Those that return `real` hold f32; the others f64."""
    run = subprocess.run([program, "train", "counted", "--json", "--quiet", "--data-dir", HERE, "--out",
                          os.path.join(folder, "weights.safetensors")], check=True, stdout=subprocess.PIPE, text=True)
    said = {name.removeprefix("validate."): value for name, value in json.loads(run.stdout).items() if name.startswith("validate.")}
    scores = case["scores"]
    want = {**scores, **case["said"], "table": scores["confusion"], **{f"report.{name}": value for name, value in scores.items()}}
    del want["confusion"], said["loss"]
    assert set(said) == set(want), f"counted are {sorted(said)}, scikit-learn has {sorted(want)}"
    for name, value in want.items():
        close = 1e-6 if name in case["said"] or name == "accuracy" else 1e-14
        assert np.allclose(said[name], value, rtol=close, atol=close), f"{name} is {said[name]}, scikit-learn says {value}"
    print(f"{len(want)} metrics counted in batches equal scikit-learn's")


def main():
    nacre, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    program = os.path.join(folder, "metrics")
    subprocess.run([nacre, "build", os.path.join(HERE, "Inputs", "metrics.nacre"), "-o", program], check=True)
    with open(os.path.join(HERE, "goldens", "metrics.json"), encoding="utf-8") as f:
        cases = json.load(f)
    tables(program, folder, cases)
    layers(program, folder, cases[-1])


if __name__ == "__main__":
    try:
        main()
    except AssertionError as problem:
        sys.exit(f"metrics.py: {problem}")
