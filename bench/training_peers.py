"""Who trains beside us: PyTorch as it is, through torch.compile, and JAX. Each loads a row and gives a step and its first losses."""
import os

import numpy as np

import arrays
import prepare
import rows


class Torch:
    """Channels last where there are images, fused optimisers."""
    note = ""

    def __init__(self, threads, build):
        self.threads = threads

    def load(self, row):
        import torch
        torch.set_num_threads(self.threads)
        torch.set_grad_enabled(True)
        step = prepare.trainer(row, torch.float32, self.wrap)
        losses = np.array([float(step()) for _ in range(rows.STEPS)])
        return step, lambda: [losses]

    def wrap(self, function):
        return function


class TorchCompiled(Torch):
    """Needs a C++ compiler ($CXX, else g++)."""

    def __init__(self, threads, build):
        super().__init__(threads, build)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(build, "bench", "inductor"))

    def wrap(self, function):
        import torch
        import torch._inductor.config
        torch._dynamo.reset()
        torch._inductor.config.freezing = False
        return torch.compile(function)


# ---- JAX: weights as its own layers store them, [in, out] and [kh, kw, in, out]; images [n, h, w, c] -------------------
def linear(w, name, x):
    return x @ w[f"{name}.weight"] + w[f"{name}.bias"]


def conv(w, name, x, stride=1, pad=0):
    import jax
    y = jax.lax.conv_general_dilated(x, w[f"{name}.weight"], (stride, stride), [(pad, pad)] * 2,
                                     dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def layer_norm(w, name, x):
    import jax
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def max_pool(x):
    import jax
    return jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def mlp(row, w, states, x):
    import jax
    x = jax.nn.relu(linear(w, "fc1", x))
    return linear(w, "fc3", jax.nn.relu(linear(w, "fc2", x)))


def lenet(row, w, states, x):
    import jax
    x = max_pool(jax.nn.relu(conv(w, "conv1", x, pad=2)))
    x = max_pool(jax.nn.relu(conv(w, "conv2", x)))
    return mlp(row, w, states, x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1))


def lstm(row, w, states, x):
    import jax
    import jax.numpy as jnp
    into = x @ w["lstm.weight_ih_l0"] + w["lstm.bias_ih_l0"] + w["lstm.bias_hh_l0"]
    zero = jnp.zeros((x.shape[0], w["lstm.weight_hh_l0"].shape[0]), x.dtype)

    def cell(carried, step):
        hidden, memory = carried
        i, f, g, o = jnp.split(step + hidden @ w["lstm.weight_hh_l0"], 4, -1)
        memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(memory)
        return (hidden, memory), hidden

    return jax.lax.scan(cell, (zero, zero), into.swapaxes(0, 1))[1].swapaxes(0, 1)


def encoder(row, w, states, x):
    import jax
    import jax.numpy as jnp
    heads = row.arguments["heads"]
    b, s, d = x.shape
    for i in range(row.arguments["depth"]):
        name = f"layers.{i}"
        q, k, v = linear(w, f"{name}.qkv", x).reshape(b, s, 3, heads, d // heads).transpose(2, 0, 3, 1, 4)
        share = jax.nn.softmax(jnp.einsum("bhqd,bhkd->bhqk", q, k) / (d // heads) ** 0.5, -1)
        a = jnp.einsum("bhqk,bhkd->bhqd", share, v).transpose(0, 2, 1, 3).reshape(b, s, d)
        x = layer_norm(w, f"{name}.ln1", x + linear(w, f"{name}.proj", a))
        wide = jax.nn.gelu(linear(w, f"{name}.fc1", x), approximate=False)
        x = layer_norm(w, f"{name}.ln2", x + linear(w, f"{name}.fc2", wide))
    return x


def resnet(row, w, states, x):
    import jax

    def norm(name, x):
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        count = x.size // x.shape[-1]
        for part, value in ("running_mean", mean), ("running_var", variance * count / (count - 1)):
            states[f"{name}.{part}"] = 0.9 * states[f"{name}.{part}"] + 0.1 * jax.lax.stop_gradient(value)
        return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]

    x = jax.nn.relu(norm("bn1", conv(w, "conv1", x, pad=1)))
    for stage, blocks in enumerate(row.arguments["blocks"], 1):
        for block in range(blocks):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = jax.nn.relu(norm(f"{name}.bn1", conv(w, f"{name}.conv1", x, stride, 1)))
            y = norm(f"{name}.bn2", conv(w, f"{name}.conv2", y, pad=1))
            if f"{name}.downsample.0.weight" in w:
                x = norm(f"{name}.downsample.1", conv(w, f"{name}.downsample.0", x, stride))
            x = jax.nn.relu(x + y)
    return linear(w, "fc", x.mean((1, 2)))


NETWORKS = {"Mlp": mlp, "Lenet": lenet, "Lstm": lstm, "Encoder": encoder, "ResNet": resnet}


def update(row, w, gradient, state):
    import jax
    import jax.numpy as jnp
    if row.optimizer == "adam":
        t = state["t"] + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state["m"], gradient)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, state["v"], gradient)
        w = jax.tree.map(lambda w, m, v: w - row.rate / (1 - 0.9**t) * m / (jnp.sqrt(v) / jnp.sqrt(1 - 0.999**t) + 1e-8), w, m, v)
        return w, {"t": t, "m": m, "v": v}
    if row.optimizer == "momentum":
        m = jax.tree.map(lambda m, g: 0.9 * m + g, state["m"], gradient)
        return jax.tree.map(lambda w, m: w - row.rate * m, w, m), {"m": m}
    return jax.tree.map(lambda w, g: w - row.rate * g, w, gradient), state


class Jax:
    note = ""

    def __init__(self, threads, build):
        # JAX has no other switch for the threads of its CPU backend.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        os.environ["JAX_PLATFORMS"] = "cpu"
        self.build = build

    def load(self, row):
        import jax
        import jax.numpy as jnp
        x, target = row.draw_batch()
        x, target = jnp.asarray(arrays.channels_last(x) if row.channels_last else x), jnp.asarray(target)
        turned = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
        weights, states = {}, {}
        for name, value in arrays.read_safetensors(prepare.weights(self.build, row)).items():
            value = jnp.asarray(np.ascontiguousarray(value.transpose(turned[value.ndim])))
            (states if "running_" in name else weights)[name] = value

        def loss(weights, states, x, target):
            states = dict(states)
            y = NETWORKS[row.network](row, weights, states, x)
            if row.target == ():
                return -jnp.take_along_axis(jax.nn.log_softmax(y), target[:, None], 1).mean(), states
            return ((y - target) ** 2).mean(), states

        def step(weights, states, memory, x, target):
            (value, states), gradient = jax.value_and_grad(loss, has_aux=True)(weights, states, x, target)
            weights, memory = update(row, weights, gradient, memory)
            return value, weights, states, memory

        step = jax.jit(step, donate_argnums=(0, 1, 2))

        def zeros():
            return jax.tree.map(jnp.zeros_like, weights)

        memory = {"adam": lambda: {"t": jnp.zeros((), jnp.float32), "m": zeros(), "v": zeros()},
                  "momentum": lambda: {"m": zeros()}, "sgd": dict}[row.optimizer]()
        kept = [weights, states, memory]

        def call():
            value, *kept[:] = step(*kept, x, target)
            jax.block_until_ready(kept)
            return value

        losses = np.array([float(call()) for _ in range(rows.STEPS)])
        return call, lambda: [losses]


PEERS = {"torch": Torch, "torch_compile": TorchCompiled, "jax": Jax}
