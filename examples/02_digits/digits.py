"""The 1,797 digits as arrays, and the split that every digit example uses.

    images, labels = digits.load()            # f32 [1797, 8, 8, 1] with values 0..16; i32 [1797]
    train, test = digits.split(labels)        # 1437 and 360 row numbers
"""
import gzip
import os
import struct
import zlib

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


def write_png(path, image):
    """An image [8, 8, 1] of 0..16 as an 8-bit grey PNG: one dot becomes 255/16 grey levels, rounded."""
    grey = np.rint(image[:, :, 0] * 255 / 16).astype(np.uint8)

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width = grey.shape
    rows = b"".join(b"\0" + row.tobytes() for row in grey)   # filter 0: as it is
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def picture(image):
    """The same image as text, two characters a pixel."""
    shades = " .:-=+*#%@"
    return "\n".join("".join(2 * shades[int(v * 9 / 16 + 0.5)] for v in row) for row in image[:, :, 0])


def pictured():
    """The held-back image that images/DIGIT.png shows, per digit: the first of its kind in the test set."""
    images, labels = load()
    _, test = split(labels)
    return {digit: int(test[labels[test] == digit][0]) for digit in range(10)}


if __name__ == "__main__":   # rewrites images/
    for digit, row in pictured().items():
        write_png(os.path.join(HERE, "images", f"{digit}.png"), load()[0][row])
