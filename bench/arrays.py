"""Numbers that everyone computes the same: weights and inputs drawn by name, safetensors files, bfloat16 without a library."""
import json
import math
import struct
import zlib

import numpy as np


def uniform(name, shape, low=-1.0, high=1.0):
    """f32 in [low, high), a function of the name and the shape alone."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return (low + (high - low) * random.random(shape, dtype=np.float32)).astype(np.float32)


def weight(name, shape):
    """A weight, of a size that keeps activations near 1: ± sqrt(3 / fan in), twice that square before rectified images."""
    if name.endswith("running_var"):
        return uniform(name, shape, 0.8, 1.2)
    if len(shape) == 1:
        return uniform(name, shape, 0.9, 1.1) if name.endswith("weight") else uniform(name, shape, -0.1, 0.1)
    bound = math.sqrt((6 if len(shape) > 2 else 3) / math.prod(shape[1:]))
    return uniform(name, shape, -bound, bound)


def to_bf16(values):
    """The bits, rounded to nearest even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def channels_last(values):
    """[n, c, ...] to [n, ..., c]."""
    return np.ascontiguousarray(np.moveaxis(values, 1, -1)) if values.ndim > 2 else values


def channels_first(values):
    return np.ascontiguousarray(np.moveaxis(values, -1, 1)) if values.ndim > 2 else values


def read_safetensors(path):
    data = np.fromfile(path, np.uint8)
    size, = struct.unpack("<Q", data[:8].tobytes())
    header, data = json.loads(data[8:8 + size].tobytes()), data[8 + size:]
    return {name: data[slice(*t["data_offsets"])].view(np.float32).reshape(t["shape"])
            for name, t in header.items() if name != "__metadata__" and t["dtype"] == "F32"}


def write_safetensors(path, tensors):
    header, start = {}, 0
    for name, a in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [start, start + a.nbytes]}
        start += a.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in tensors.values():
            f.write(np.ascontiguousarray(a, np.float32).tobytes())


def relative_error(got, expected):
    """max |got - expected| / max |expected|, the worst of several results."""
    worst = 0.0
    for g, e in zip(got, expected, strict=True):
        if g.shape != e.shape:
            raise ValueError(f"a result of shape {list(g.shape)} instead of {list(e.shape)}")
        difference = np.abs(np.asarray(g, np.float64) - e).max() / np.abs(e).max()
        worst = max(worst, float(difference) if np.isfinite(difference) else math.inf)
    return worst
