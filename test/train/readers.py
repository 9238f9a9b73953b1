"""The files of readers.test: readers.py DATA, in the folder of the test."""
import gzip
import os
import struct
import sys
import zlib

import numpy


def png(image):
    """An 8-bit grey picture."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def idx(array):
    return struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def main(data):
    table = numpy.loadtxt(gzip.open(os.path.join(data, "digits.csv.gz")), delimiter=",")[:320]
    table = table[numpy.argsort(table[:, 64], kind="stable")]  # by class, as folders are read
    image, label = (table[:, :64] * 15).astype("uint8").reshape(-1, 8, 8), table[:, 64].astype("int32")
    numpy.save("image.npy", image)
    numpy.save("label.npy", label)
    write("images.idx.gz", gzip.compress(idx(image)))
    write("labels.idx", idx(label.astype("uint8")))
    lines = [",".join([f"p{i}" for i in range(64)] + ["label"])]
    lines += [",".join(str(n) for n in [*x.flat, y]) for x, y in zip(image, label)]
    text = "\r\n".join(lines) + "\r\n"
    write("table.csv.gz", gzip.compress(text.encode()))
    for i, (x, y) in enumerate(zip(image, label)):
        write(f"pictures/{y}/{i:04}.png", png(x))

    # The same with mistakes.
    lines[7] = lines[7].replace(",", ";", 1)
    lines[9] = lines[9][: lines[9].rindex(",")] + ",12"
    lines[11] += ",1"
    write("bad/table.csv.gz", gzip.compress("\n".join(lines).encode()))
    numpy.save("bad/image.npy", image[:-1])
    numpy.save("bad/label.npy", label)
    write("bad/images.idx.gz", gzip.compress(idx(image))[:-20])
    write("bad/labels.idx", idx(label.astype("uint8")))
    write("bad/pictures/0/0000.png", png(image[0]))
    write("bad/pictures/1/0001.png", png(image[1][:, :7]))
    write("bad/pictures/1/0002.png", b"")


main(sys.argv[1])
