"""Training steps, stated once for everyone: forward, cross-entropy, backward, SGD at a fixed rate, on one batch.

A network is a function of (ops, x): `ops` does the arithmetic of one framework and gives weights by their name in our
file, so that the same lines are PyTorch, JAX and the reference. Images are [n, h, w, c] for us and JAX.

What is compared before anything is timed: the losses of the first STEPS steps on the same batch from the same weights,
against PyTorch's in f64.

    python bench/training.py --build build NAME ...     our losses against those kept in losses.json; needs no PyTorch
    python bench/training.py --update                   writes losses.json
"""
import argparse
import dataclasses
import json
import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
LOSSES = os.path.join(HERE, "losses.json")
RATE, STEPS = 0.01, 3


@dataclasses.dataclass
class Training:
    name: str
    network: object           # (ops, x) -> logits
    batch: int
    shape: tuple              # of a sample, our layout
    weights: dict             # name -> shape
    source: str
    settings: dict
    tolerance: float = 1e-3   # of the losses
    _reference: np.ndarray = None

    def draw_inputs(self, batches=1):
        random = np.random.default_rng(0)
        count = self.batch * batches
        return random.standard_normal((count, *self.shape)).astype(np.float32), random.integers(0, 10, count).astype(np.int32)

    def draw_weights(self):
        random = np.random.default_rng(1)

        def draw(name, shape):
            if name.endswith(("running_var", "weight")) and len(shape) == 1:
                return np.ones(shape, np.float32)
            if len(shape) == 1:
                return np.zeros(shape, np.float32)
            return (random.uniform(-1, 1, shape) * np.sqrt(3 / np.prod(shape[1:]))).astype(np.float32)

        return {name: draw(name, shape) for name, shape in self.weights.items()}

    def reference(self):
        """The losses in f64; worked out once."""
        if self._reference is None:
            import torch
            step = torch_step(self, torch.float64)
            self._reference = np.array([float(step()) for _ in range(STEPS)])
        return self._reference


# ---- networks --------------------------------------------------------------------------------------------------------
def mlp(ops, x):
    x = ops.relu(ops.linear(x, "fc1"))
    x = ops.relu(ops.linear(x, "fc2"))
    return ops.linear(x, "fc3")


def lenet(ops, x):
    x = ops.max_pool(ops.relu(ops.conv(x, "conv1", 1, 2)))
    x = ops.max_pool(ops.relu(ops.conv(x, "conv2", 1, 0)))
    x = ops.relu(ops.linear(ops.flatten(x), "fc1"))
    return ops.linear(ops.relu(ops.linear(x, "fc2")), "fc3")


def resnet(ops, x):
    x = ops.relu(ops.norm(ops.conv(x, "conv1", 1, 1), "bn1"))
    for stage in range(1, 5):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = ops.relu(ops.norm(ops.conv(x, f"{name}.conv1", stride, 1), f"{name}.bn1"))
            y = ops.norm(ops.conv(y, f"{name}.conv2", 1, 1), f"{name}.bn2")
            if stride == 2:
                x = ops.norm(ops.conv(x, f"{name}.downsample.0", 2, 0), f"{name}.downsample.1")
            x = ops.relu(x + y)
    return ops.linear(ops.mean(x), "fc")


def linear(name, n, d):
    return {f"{name}.weight": (n, d), f"{name}.bias": (n,)}


def norm(name, n):
    return {f"{name}.{part}": (n,) for part in ("weight", "bias", "running_mean", "running_var")}


def resnet_weights():
    w = {"conv1.weight": (64, 3, 3, 3)} | norm("bn1", 64)
    c = 64
    for stage, o in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            w |= {f"{name}.conv1.weight": (o, c, 3, 3)} | norm(f"{name}.bn1", o)
            w |= {f"{name}.conv2.weight": (o, o, 3, 3)} | norm(f"{name}.bn2", o)
            if c != o:
                w |= {f"{name}.downsample.0.weight": (o, c, 1, 1)} | norm(f"{name}.downsample.1", o)
            c = o
    return w | linear("fc", 10, 512)


def is_state(name):
    return name.endswith(("running_mean", "running_var"))


# ---- PyTorch ---------------------------------------------------------------------------------------------------------
class TorchOps:
    def __init__(self, weights):
        self.w = weights

    def relu(self, x):
        return x.relu()

    def linear(self, x, name):
        import torch.nn.functional as F
        return F.linear(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def conv(self, x, name, stride, pad):
        import torch.nn.functional as F
        return F.conv2d(x, self.w[f"{name}.weight"], self.w.get(f"{name}.bias"), stride, pad)

    def norm(self, x, name):
        import torch.nn.functional as F
        mean, var, weight, bias = (self.w[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, weight, bias, training=True)

    def max_pool(self, x):
        import torch.nn.functional as F
        return F.max_pool2d(x, 2)

    def flatten(self, x):
        return x.flatten(1)

    def mean(self, x):
        return x.mean((2, 3))


def torch_step(workload, kind, compiled=False):
    """A function that does one step and gives the loss."""
    import torch
    import torch.nn.functional as F
    torch.set_grad_enabled(True)
    x, label = (torch.from_numpy(a) for a in workload.draw_inputs())
    x, label = x.to(kind), label.long()
    w = {name: torch.from_numpy(a).to(kind) for name, a in workload.draw_weights().items()}
    if x.dim() == 4:   # channels last, which convolutions like best
        x = x.permute(0, 3, 1, 2)
        w = {name: a.contiguous(memory_format=torch.channels_last) if a.dim() == 4 else a for name, a in w.items()}
    trained = [a.requires_grad_() for name, a in w.items() if not is_state(name)]
    ops, optimizer = TorchOps(w), torch.optim.SGD(trained, lr=RATE, fused=True)

    def forward(x, label):
        return F.cross_entropy(workload.network(ops, x), label)

    if compiled:
        forward = torch.compile(forward)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x, label)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


class TorchTraining:
    def __init__(self, threads, compiled=False):
        import torch
        torch.set_num_threads(threads)
        self.compiled = compiled

    def load(self, workload):
        import torch
        step = torch_step(workload, torch.float32, self.compiled)
        losses = np.array([float(step()) for _ in range(STEPS)])
        return step, lambda: losses


class TorchCompiled(TorchTraining):
    """Needs a C++ compiler ($CXX, else g++)."""

    def __init__(self, threads):
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")   # no processes that linger while others are timed
        super().__init__(threads, compiled=True)


# ---- JAX -------------------------------------------------------------------------------------------------------------
class JaxOps:
    """Weights as JAX's own layers store them: [in, out] and [kh, kw, in, out]; the running statistics are collected in
    `states`."""

    def __init__(self, weights):
        self.w, self.states = weights, {}

    def relu(self, x):
        import jax
        return jax.nn.relu(x)

    def linear(self, x, name):
        return x @ self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def conv(self, x, name, stride, pad):
        import jax
        y = jax.lax.conv_general_dilated(x, self.w[f"{name}.weight"], (stride, stride), [(pad, pad)] * 2,
                                         dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return y + self.w[f"{name}.bias"] if f"{name}.bias" in self.w else y

    def norm(self, x, name):
        import jax
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        for part, value in ("running_mean", mean), ("running_var", var):
            self.states[f"{name}.{part}"] = 0.9 * self.w[f"{name}.{part}"] + 0.1 * jax.lax.stop_gradient(value)
        return (x - mean) * jax.lax.rsqrt(var + 1e-5) * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def max_pool(self, x):
        import jax
        return jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def flatten(self, x):
        return x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)

    def mean(self, x):
        return x.mean((1, 2))


class Jax:
    def __init__(self, threads):
        # JAX has no other switch for the threads of its CPU backend.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        os.environ["JAX_PLATFORMS"] = "cpu"

    def load(self, workload):
        import jax
        x, label = (jax.numpy.asarray(a) for a in workload.draw_inputs())

        def loss(w, x, label):
            ops = JaxOps(w)
            logits = jax.nn.log_softmax(workload.network(ops, x))
            return -jax.numpy.take_along_axis(logits, label[:, None], 1).mean(), ops.states

        def step(w, x, label):
            (value, states), gradient = jax.value_and_grad(loss, has_aux=True)(w, x, label)
            return {name: states.get(name, a - RATE * gradient[name]) for name, a in w.items()}, value

        step = jax.jit(step, donate_argnums=0)
        turned = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
        weights = [{name: jax.numpy.asarray(np.ascontiguousarray(a.transpose(turned[a.ndim])))
                    for name, a in workload.draw_weights().items()}]

        def call():
            weights[0], value = step(weights[0], x, label)
            jax.block_until_ready(weights[0])
            return value

        losses = np.array([float(call()) for _ in range(STEPS)])
        return call, lambda: losses


PEERS = {"torch_eager": TorchTraining, "torch_compile": TorchCompiled, "jax": Jax}


# ---- ours ------------------------------------------------------------------------------------------------------------
def load_ours(nacre, workload, write_safetensors):
    """One step of the generated trainer: batch, forward, backward, update."""
    import ctypes
    import subprocess
    folder = os.path.join(nacre.build, "bench", workload.name)
    library, weights = os.path.join(folder, "model.so"), os.path.join(folder, "weights.safetensors")
    for batches in 1, 16:
        data = os.path.join(folder, f"data{batches}")
        os.makedirs(data, exist_ok=True)
        x, label = workload.draw_inputs(batches)
        np.save(os.path.join(data, "x.npy"), x)
        np.save(os.path.join(data, "label.npy"), label)
    settings = [f"--set={name}={value}" for name, value in workload.settings.items()]
    subprocess.run([os.path.join(nacre.build, "bin", "nacre"), "build", workload.source, "--emit=shared", "--cpu=native", *settings,
                    "-o", library], check=True, stdout=2)
    write_safetensors(weights, workload.draw_weights())
    code = ctypes.CDLL(library)
    code.nacre_set_threads(nacre.threads)
    code.nacre_last_error.restype = ctypes.c_char_p
    module = os.path.splitext(os.path.basename(workload.source))[0]
    create, step = getattr(code, f"{module}_fit_create"), getattr(code, f"{module}_fit_step")
    create.restype, create.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

    class Options(ctypes.Structure):
        _fields_ = [("seed", ctypes.c_uint64), ("seeded", ctypes.c_int), ("epochs", ctypes.c_int64), ("steps", ctypes.c_int64),
                    ("data", ctypes.c_char_p), ("weights", ctypes.c_char_p), ("resume", ctypes.c_char_p)]

    def trainer(batches):
        options = Options(0, 1, 1 << 30, 0, os.path.join(folder, f"data{batches}").encode(), weights.encode(), None)
        made = create(ctypes.byref(options))
        if not made:
            raise RuntimeError(code.nacre_last_error().decode())
        return ctypes.c_void_p(made)

    loss = ctypes.c_double()

    def call(which):
        if step(which, ctypes.byref(loss)):
            raise RuntimeError(code.nacre_last_error().decode())
        return loss.value

    check, timed = trainer(1), trainer(16)
    losses = np.array([call(check) for _ in range(STEPS)])
    nacre.alive = code
    return lambda: call(timed), lambda: losses


def _build():
    def source(name):
        return os.path.join(HERE, "models", f"{name}.nacre")

    return {w.name: w for w in (
        Training("train_mlp_b64", mlp, 64, (784,), linear("fc1", 512, 784) | linear("fc2", 256, 512) | linear("fc3", 10, 256),
                 source("mlp_train"), {"batch": 64}),
        Training("train_lenet_b64", lenet, 64, (28, 28, 1),
                 {"conv1.weight": (6, 1, 5, 5), "conv1.bias": (6,), "conv2.weight": (16, 6, 5, 5), "conv2.bias": (16,)}
                 | linear("fc1", 120, 400) | linear("fc2", 84, 120) | linear("fc3", 10, 84), source("lenet_train"), {"batch": 64}),
        Training("train_resnet18_b32", resnet, 32, (32, 32, 3), resnet_weights(), source("resnet_train"), {"batch": 32}))}


WORKLOADS = _build()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build"))
    parser.add_argument("--update", action="store_true")
    parser.add_argument("names", nargs="*", default=["train_mlp_b64", "train_lenet_b64"])
    options = parser.parse_args()
    if options.update:
        with open(LOSSES, "w") as f:
            json.dump({name: WORKLOADS[name].reference().tolist() for name in options.names}, f, indent=1)
            f.write("\n")
        return
    import ours
    import workloads
    with open(LOSSES) as f:
        kept = json.load(f)
    for name in options.names:
        _, losses = load_ours(ours.Nacre(1, os.path.abspath(options.build)), WORKLOADS[name], workloads.write_safetensors)
        error = np.abs(losses() - kept[name]).max() / np.abs(kept[name]).max()
        print(f"{name}: {losses()}, {error:.1e} from f64", flush=True)
        assert error < 1e-5, kept[name]
    os._exit(0)   # the library's threads are still alive


if __name__ == "__main__":
    main()
