"""faults.py CHECKPOINT TENSOR ITERATION VALUE: the tensor holds that value, and so many iterations were done."""
import json
import struct
import sys

import numpy


def main(path, name, iteration, value):
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])

    def tensor(which, kind):
        begin, end = header[which]["data_offsets"]
        return numpy.frombuffer(data[8 + size + begin:8 + size + end], kind)
    assert tensor("run/position", "<i8")[1] == int(iteration), tensor("run/position", "<i8")
    assert numpy.allclose(tensor(name, "<f4"), float(value), rtol=1e-5), tensor(name, "<f4")


main(*sys.argv[1:])
