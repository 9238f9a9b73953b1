"""Files for program.test: weights, images, arguments. `--expect FOLDER` checks what the program wrote."""
import json
import struct
import sys
import zlib

import numpy as np


def safetensors(path, tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        kind = {"f4": "F32", "f8": "F64", "f2": "F16"}[array.dtype.str[1:]]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def png(path, width, height, depth, colour, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b""))


def write(folder):
    weight, bias = np.eye(3, 4, dtype=np.float32), np.full(3, 0.5, np.float32)
    image = np.array([[0, 2, 1, 9], [0, 1, 3, 9]], np.float32)
    safetensors(f"{folder}/good.safetensors", {"fc.weight": weight, "fc.bias": bias})
    safetensors(f"{folder}/short.safetensors", {"fc.weight": weight})
    safetensors(f"{folder}/wide.safetensors", {"fc.weight": np.eye(3, 5, dtype=np.float32), "fc.bias": bias})
    np.save(f"{folder}/image.npy", image)
    np.save(f"{folder}/image64.npy", image.astype(np.float64))
    np.save(f"{folder}/image_int.npy", image.astype(np.int64))
    np.save(f"{folder}/image_fortran.npy", np.asfortranarray(image))
    np.save(f"{folder}/image_wide.npy", np.zeros((2, 5), np.float32))
    np.save(f"{folder}/image_flat.npy", np.zeros(4, np.float32))
    np.save(f"{folder}/image_65.npy", np.zeros((65, 4), np.float32))
    np.save(f"{folder}/image_3.npy", np.zeros((3, 4), np.float32))
    np.save(f"{folder}/half.npy", np.float64(0.5))
    np.save(f"{folder}/picture.npy", np.arange(1, 7, dtype=np.uint8).reshape(1, 2, 3))
    png(f"{folder}/picture.png", 2, 1, 16, 6, [struct.pack(">8H", 10 * 257, 20 * 257, 30 * 257, 65535, 7, 8, 9, 0)])
    png(f"{folder}/grey.png", 2, 1, 8, 0, [bytes([3, 4])])
    with open(f"{folder}/image.npy", "rb") as f:
        contents = f.read()
    with open(f"{folder}/cut.npy", "wb") as f:
        f.write(contents[:-5])
    with open(f"{folder}/empty.npy", "wb"):
        pass


def expect(folder):
    assert np.load(f"{folder}/label.npy").tolist() == [1, 2]
    assert np.load(f"{folder}/label.npy").dtype == np.int32
    assert np.load(f"{folder}/score.npy").tolist() == [[0.5, 2.5, 1.5], [0.5, 1.5, 3.5]]


if __name__ == "__main__":
    expect(sys.argv[2]) if sys.argv[1] == "--expect" else write(sys.argv[1])
