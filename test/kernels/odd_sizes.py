"""The fused code of a model at sizes that no tile divides, against the plain lowering of the same equations (`--reference`), on
x86-64-v3 and on this machine; and the same bits with one thread and with three.

    python odd_sizes.py --build BUILD --folder SCRATCH [--within 2e-5] 'MODEL ENTRY,ENTRY.. name=value ..' ...
"""
import argparse
import os

import numpy as np

import programs

WITHIN = 2e-5   # of the largest magnitude of a result
PROCESSORS = "x86-64-v3", "native"


def difference(got, expected):
    assert got.keys() == expected.keys(), (list(got), list(expected))
    # np.max and not max, which may lose what is not a number
    return float(np.max([np.abs(got[name].astype(np.float64) - expected[name]).max() / np.abs(expected[name]).max() for name in expected]))


def check(case, within):
    """The entries that are further off."""
    plain = case.compile("reference", "--reference")
    fast = [case.compile(processor, f"--cpu={processor}") for processor in PROCESSORS]
    wrong = []
    for entry, words in case.draw(plain).items():
        expected = case.results(plain, entry, words)
        assert expected and all(np.isfinite(v).all() and v.any() for v in expected.values()), f"{entry} of {case.text} gives nothing"
        worst = []
        for program in fast:
            got, many = (case.results(program, entry, words, threads) for threads in (1, 3))
            assert all(got[name].tobytes() == many[name].tobytes() for name in got), f"{case.text}: three threads give other bits in {entry}"
            worst.append(difference(got, expected))
        print(f"{case.text}: {entry} " + ", ".join(f"{error:.1e} on {name}" for error, name in zip(worst, PROCESSORS)), flush=True)
        if not np.max(worst) <= within:
            wrong.append(f"{entry} of {case.text}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--within", type=float, default=WITHIN)
    parser.add_argument("cases", nargs="+")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    wrong = [w for text in options.cases for w in check(programs.Case(text, options.build, options.folder), options.within)]
    assert not wrong, f"beyond {options.within}: {wrong}"


if __name__ == "__main__":
    main()
