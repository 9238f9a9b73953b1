"""The 1,797 digits as arrays, and the split that every digit example uses.

    images, labels = digits.load()            # f32 [1797, 8, 8, 1] with values 0..16; i32 [1797]
    train, test = digits.split(labels)        # 1437 and 360 row numbers
"""
import gzip
import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 0      # of the split
HELD_BACK = 360


def load():
    with gzip.open(os.path.join(HERE, "data", "digits.csv.gz")) as f:
        table = np.loadtxt(f, delimiter=",", dtype=np.float32)   # [1797, 65]: 64 pixels, then the digit
    return table[:, :64].reshape(-1, 8, 8, 1), table[:, 64].astype(np.int32)


def stratify(labels):
    """HELD_BACK row numbers in which each digit has its share of the whole (largest remainders), drawn from SEED."""
    counts = np.bincount(labels)
    exact = HELD_BACK * counts / counts.sum()
    take = np.floor(exact).astype(int)
    for digit in np.argsort(take - exact, kind="stable")[: HELD_BACK - take.sum()]:
        take[digit] += 1
    generator = np.random.Generator(np.random.PCG64(SEED))
    rows = [generator.permutation(np.flatnonzero(labels == digit))[:n] for digit, n in enumerate(take)]
    return np.sort(np.concatenate(rows)).astype(np.int32)


def split(labels):
    """The committed split; a test holds it against stratify()."""
    test = np.load(os.path.join(HERE, "data", "test_indices.npy"))
    return np.setdiff1d(np.arange(len(labels), dtype=np.int32), test), test
