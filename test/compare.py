"""Compares .npy files within a tolerance: |a - b| <= tol * (1 + |b|), element types and shapes equal, NaN equal to NaN.

    python compare.py GOT.npy EXPECTED.npy [--within 1e-4]
"""
import argparse
import sys

import numpy as np

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("got")
parser.add_argument("expected")
parser.add_argument("--within", type=float, default=1e-5)
options = parser.parse_args()
got, expected = np.load(options.got), np.load(options.expected)
if got.shape != expected.shape or got.dtype != expected.dtype:
    sys.exit(f"{options.got} is {got.dtype}{list(got.shape)}, {options.expected} is {expected.dtype}{list(expected.shape)}")
close = np.isclose(got, expected, rtol=options.within, atol=options.within, equal_nan=True)
if not close.all():
    where = tuple(int(i) for i in np.argwhere(~close)[0])
    sys.exit(f"{int((~close).sum())} of {close.size} elements differ by more than {options.within}; "
             f"first at {list(where)}: {got[where]!r}, expected {expected[where]!r}")
