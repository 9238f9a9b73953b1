"""What is measured: each workload is a small network, stated once, that every contender gets in its own form.

A network is a list of steps over channels-first images [n, c, h, w] or rows [n, d]:
    ("scale", factor)  ("flatten",)  ("relu",)  ("pool", k)  ("linear", name)  ("conv", name, pad)  ("norm", name)
    ("matmul", name): x @ weight [k, n]               ("product",): the two inputs multiplied
Weights and inputs are drawn from a fixed seed, except those of the digit networks, which are the trained ones.
"""
import dataclasses
import json
import os
import struct
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
DIGITS = os.path.join(ROOT, "examples", "02_digits")
sys.path.insert(0, os.path.join(ROOT, "test", "ops"))
import oracle  # noqa: E402  (convolution and pooling in f64)


@dataclasses.dataclass
class Workload:
    name: str
    steps: list
    inputs: dict                    # name -> shape, as the peers see it
    weights: dict                   # name -> shape, or the path of a safetensors file
    source: str                     # our model file
    entry: str
    settings: dict = dataclasses.field(default_factory=dict)   # its --set
    shapes: dict = dataclasses.field(default_factory=dict)     # name -> shape of an input in our layout, where it differs
    _reference: np.ndarray = None

    def draw_inputs(self):
        random = np.random.default_rng(0)
        scale = 16 if "digits" in self.name else 1
        return {name: (scale * random.random(shape)).astype(np.float32) for name, shape in self.inputs.items()}

    def draw_weights(self):
        if isinstance(self.weights, str):
            return read_safetensors(self.weights)
        random = np.random.default_rng(1)

        def draw(shape):
            fan_in = shape[0] if len(shape) == 1 else int(np.prod(shape[1:]))
            return (random.uniform(-1, 1, shape) * np.sqrt(3 / fan_in)).astype(np.float32)

        return {name: draw(shape) for name, shape in self.weights.items()}

    def reference(self):
        """The result in f64; worked out once."""
        if self._reference is None:
            self._reference = self._compute()
        return self._reference

    def _compute(self):
        values = [v.astype(np.float64) for v in self.draw_inputs().values()]
        w = {name: a.astype(np.float64) for name, a in self.draw_weights().items()}
        x = values[0]
        for kind, *arguments in self.steps:
            x = REFERENCE[kind](x, w, *arguments) if kind != "product" else x @ values[1]
        return x


def _conv(x, w, name, pad):
    return oracle.conv2d(x.transpose(0, 2, 3, 1), w[f"{name}.weight"], w[f"{name}.bias"], pad=pad).transpose(0, 3, 1, 2)


def _norm(x, w, name):
    y = oracle.batch_norm(x.transpose(0, 2, 3, 1), *(w[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")))
    return y.transpose(0, 3, 1, 2)


REFERENCE = {
    "scale": lambda x, w, factor: x * factor,
    "flatten": lambda x, w: x.reshape(len(x), -1),
    "relu": lambda x, w: np.maximum(x, 0),
    "pool": lambda x, w, k: oracle.max_pool(x.transpose(0, 2, 3, 1), k, k).transpose(0, 3, 1, 2),
    "linear": lambda x, w, name: x @ w[f"{name}.weight"].T + w[f"{name}.bias"],
    "matmul": lambda x, w, name: x @ w[name],
    "conv": _conv,
    "norm": _norm,
}


def read_safetensors(path):
    with open(path, "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(size)), f.read()
    return {name: np.frombuffer(data[slice(*t["data_offsets"])], np.float32).reshape(t["shape"]).copy()
            for name, t in header.items() if name != "__metadata__" and t["dtype"] == "F32"}


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, a in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [len(data), len(data) + a.nbytes]}
        data += a.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def linear(name, n, d):
    return {f"{name}.weight": (n, d), f"{name}.bias": (n,)}


def _build():
    relu, found = ("relu",), []
    for b in 1, 64:
        image = {"image": (b, 1, 8, 8)}
        shape = {"image": (b, 8, 8, 1)}
        found.append(Workload(
            f"digits_mlp_b{b}", [("scale", 1 / 16), ("flatten",), ("linear", "fc1"), relu, ("linear", "fc2"), relu, ("linear", "fc3")],
            image, os.path.join(DIGITS, "mlp.safetensors"), os.path.join(DIGITS, "mlp.nacre"), "logits", {}, shape))
        found.append(Workload(
            f"digits_lenet_b{b}", [("scale", 1 / 16), ("conv", "conv1", 1), ("norm", "bn1"), relu, ("pool", 2), ("conv", "conv2", 1),
                                   ("norm", "bn2"), relu, ("pool", 2), ("flatten",), ("linear", "fc1"), relu, ("linear", "fc2")],
            image, os.path.join(DIGITS, "lenet.safetensors"), os.path.join(DIGITS, "lenet.nacre"), "logits", {}, shape))
    for b in 1, 64:
        found.append(Workload(
            f"mlp_b{b}", [("linear", "fc1"), relu, ("linear", "fc2"), relu, ("linear", "fc3")], {"x": (b, 784)},
            linear("fc1", 512, 784) | linear("fc2", 256, 512) | linear("fc3", 10, 256),
            os.path.join(HERE, "models", "mlp.nacre"), "forward", {"batch": b}))
        found.append(Workload(
            f"lenet_b{b}", [("conv", "conv1", 2), relu, ("pool", 2), ("conv", "conv2", 0), relu, ("pool", 2), ("flatten",),
                            ("linear", "fc1"), relu, ("linear", "fc2"), relu, ("linear", "fc3")], {"x": (b, 1, 28, 28)},
            {"conv1.weight": (6, 1, 5, 5), "conv1.bias": (6,), "conv2.weight": (16, 6, 5, 5), "conv2.bias": (16,)}
            | linear("fc1", 120, 400) | linear("fc2", 84, 120) | linear("fc3", 10, 84),
            os.path.join(HERE, "models", "lenet.nacre"), "forward", {"batch": b}, {"x": (b, 28, 28, 1)}))
    for m, k, n in (512, 512, 512), (1024, 1024, 1024), (128, 768, 768), (128, 768, 3072), (128, 3072, 768):
        size = {"rows": m, "inner": k, "columns": n}
        source = os.path.join(HERE, "models", "products.nacre")
        found.append(Workload(f"product_{m}x{k}x{n}", [("product",)], {"a": (m, k), "b": (k, n)}, {}, source, "product", size))
        found.append(Workload(f"weighted_{m}x{k}x{n}", [("matmul", "weight")], {"x": (m, k)}, {"weight": (k, n)}, source, "weighted", size))
    return {w.name: w for w in found}


WORKLOADS = _build()
