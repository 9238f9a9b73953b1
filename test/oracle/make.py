"""Computes with PyTorch, in f64, what `check.py` compares the compiled library with, and writes it to goldens/.

    pip install -r requirements.txt && python make.py

Each case of layers.nacre and losses.nacre gets its inputs, its results and their derivatives as `case.name`; each optimiser
of optimizers.nacre ten steps on one small network. Everything is drawn from seeds, so a second run writes the same bytes.
"""
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "goldens")
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
_random = np.random.default_rng(4)


def draw(*shape, scale=1.0):
    """Numbers that f32 holds exactly, so that both sides start from the same."""
    return torch.from_numpy((scale * _random.normal(size=shape)).astype(np.float32).astype(np.float64)).requires_grad_()


def whole(low, high, *shape):
    return torch.from_numpy(_random.integers(low, high, shape))


def array(value):
    value = value.detach()
    return value.numpy().astype(np.int32 if value.dtype == torch.int64 else np.float32)


def first(image):
    """[n, h, w, c] to PyTorch's [n, c, h, w]."""
    return image.permute(0, 3, 1, 2)


def last(image):
    return image.permute(0, 2, 3, 1)


class Goldens:
    def __init__(self):
        self.tensors, self.weights = {}, {}

    def case(self, name, inputs, results):
        for kind, values in ("in", inputs), ("out", results):
            for key, value in values.items():
                self.tensors[f"{name}.{kind}.{key}"] = array(value)

    def layer(self, name, module, x, wanted, images=False, path=None):
        """y, dx and the derivatives of sum(y * r) by the parameters `wanted`: name of the result -> name of the parameter."""
        for key, value in module.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                self.weights[f"{name}.{(path or {}).get(key, key)}"] = array(value)
        module.eval()
        y = last(module(first(x))) if images else module(x)
        r = draw(*y.shape)
        parameters = dict(module.named_parameters())
        floats = [x] if x.dtype == torch.float64 else []
        grads = torch.autograd.grad((y * r).sum(), floats + [parameters[p] for p in wanted.values()])
        results = {"y": y}
        if floats:
            results["dx"], grads = grads[0], grads[1:]
        self.case(name, {"x" if floats else "ids": x, "r": r}, {**results, **dict(zip(wanted, grads))})

    def function(self, name, function, x, images=True):
        y = function(first(x)) if images else function(x)
        y = last(y) if images and y.dim() == 4 else y
        r = draw(*y.shape)
        self.case(name, {"x": x, "r": r}, {"y": y, "dx": torch.autograd.grad((y * r).sum(), x)[0]})

    def write(self, name):
        safetensors.save(os.path.join(OUT, f"{name}.safetensors"), self.tensors)
        if self.weights:
            safetensors.save(os.path.join(OUT, f"{name}_weights.safetensors"), self.weights)


def settle(module):
    """Weights of a sensible size that f32 holds exactly, running statistics away from 0 and 1."""
    with torch.no_grad():
        for key, value in module.state_dict().items():
            if key.endswith("running_var"):
                value.copy_(draw(*value.shape).abs() + 0.5)
            elif value.dtype == torch.float64:
                value.copy_(draw(*value.shape, scale=0.5) + (1.0 if value.dim() == 1 and key.endswith("weight") else 0.0))
            if value.dtype == torch.float64:
                value.copy_(value.float().double())
    return module


class Residual(nn.Module):
    def __init__(self, inner, downsample):
        super().__init__()
        for name, module in inner:
            self.add_module(name, module)
        self.downsample = nn.Sequential(*downsample)
        self.names = [name for name, _ in inner]

    def forward(self, x):
        y = x
        for i, name in enumerate(self.names):
            y = getattr(self, name)(y)
            if name.startswith("bn") and i + 1 < len(self.names):
                y = F.relu(y)
        return F.relu(y + self.downsample(x))


def layers():
    g = Goldens()
    affine = {"dweight": "weight", "dbias": "bias"}
    g.layer("linear", settle(nn.Linear(7, 5)), draw(3, 7), affine)
    g.layer("bare", settle(nn.Linear(5, 4, bias=False)), draw(2, 3, 5), {"dweight": "weight"})
    for name, shape, module in [
            ("conv", (2, 7, 5, 3), nn.Conv2d(3, 5, 3)), ("same", (2, 6, 5, 3), nn.Conv2d(3, 4, 5, padding=2)),
            ("strided", (2, 8, 7, 3), nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False)),
            ("dilated", (2, 8, 7, 3), nn.Conv2d(3, 4, 3, dilation=2, padding=1)),
            ("grouped", (2, 5, 6, 4), nn.Conv2d(4, 6, 3, padding=1, groups=2)),
            ("depthwise", (2, 7, 6, 4), nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4)),
            ("transposed", (2, 3, 4, 5), nn.ConvTranspose2d(5, 3, 3, stride=2))]:
        g.layer(name, settle(module), draw(*shape), affine if module.bias is not None else {"dweight": "weight"}, images=True)
    g.layer("layer_norm", settle(nn.LayerNorm(7)), draw(3, 2, 7), affine)
    norm = settle(nn.BatchNorm1d(5))
    x = draw(4, 3, 5)
    r = draw(4, 3, 5)
    y = norm.eval()(x.reshape(12, 5)).reshape(4, 3, 5)
    dx, dw, db = torch.autograd.grad((y * r).sum(), [x, norm.weight, norm.bias])
    g.case("batch_norm", {"x": x, "r": r}, {"y": y, "dx": dx, "dweight": dw, "dbias": db})
    g.weights.update({f"batch_norm.{k}": array(v) for k, v in norm.state_dict().items() if k != "num_batches_tracked"})
    g.layer("embedding", settle(nn.Embedding(11, 3)), whole(0, 11, 2, 4), {"dweight": "weight"})
    g.layer("block", settle(Residual([("conv1", nn.Conv2d(4, 6, 3, 2, 1, bias=False)), ("bn1", nn.BatchNorm2d(6)),
                                      ("conv2", nn.Conv2d(6, 6, 3, 1, 1, bias=False)), ("bn2", nn.BatchNorm2d(6))],
                                     [nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6)])),
            draw(2, 7, 6, 4), {"dconv1": "conv1.weight", "ddown": "downsample.0.weight"}, images=True)
    g.layer("bottleneck", settle(Residual([("conv1", nn.Conv2d(3, 2, 1, bias=False)), ("bn1", nn.BatchNorm2d(2)),
                                           ("conv2", nn.Conv2d(2, 2, 3, 1, 1, bias=False)), ("bn2", nn.BatchNorm2d(2)),
                                           ("conv3", nn.Conv2d(2, 8, 1, bias=False)), ("bn3", nn.BatchNorm2d(8))],
                                          [nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8)])),
            draw(2, 5, 6, 3), {"dconv2": "conv2.weight", "dbn3": "bn3.weight"}, images=True)
    separable = settle(nn.Sequential(nn.Conv2d(3, 3, 3, padding=2, dilation=2, groups=3, bias=False), nn.BatchNorm2d(3),
                                     nn.ReLU(), nn.Conv2d(3, 5, 1, bias=False), nn.BatchNorm2d(5), nn.ReLU()))
    names = {"0": "depthwise", "1": "bn1", "3": "pointwise", "4": "bn2"}
    g.layer("separable", separable, draw(2, 7, 6, 3), {"ddepthwise": "0.weight", "dpointwise": "3.weight"}, images=True,
            path={k: names[k[0]] + k[1:] for k in separable.state_dict()})

    g.function("max_pool2", lambda x: F.max_pool2d(x, 2), draw(2, 7, 5, 3))
    g.function("max_pool3", lambda x: F.max_pool2d(x, 3, 2, 1), draw(2, 7, 5, 3))
    g.function("avg_pool3", lambda x: F.avg_pool2d(x, 3, 2), draw(2, 7, 6, 3))
    g.function("global_pools", lambda x: x.mean((2, 3)) + x.amax((2, 3)), draw(2, 3, 5, 4))
    g.function("adaptive", lambda x: F.adaptive_avg_pool2d(x, (3, 2)), draw(2, 6, 4, 3))
    g.function("flatten", lambda x: x.flatten(1), draw(2, 3, 5, 4))
    x, r = draw(3, 2, 5), draw(3, 2, 5)
    y, z = F.softmax(x, -1), F.log_softmax(x, -1)
    g.case("softmaxes", {"x": x, "r": r}, {"y": y, "dx": torch.autograd.grad((y * r).sum(), x)[0], "z": z,
                                           "dz": torch.autograd.grad((z * r).sum(), x)[0]})
    x, r = draw(37, scale=3.0), draw(37)
    functions = {"relu": F.relu, "leaky": lambda v: F.leaky_relu(v, 0.2), "sigmoid": torch.sigmoid, "silu": F.silu,
                 "gelu": F.gelu, "gelu_tanh": lambda v: F.gelu(v, approximate="tanh"), "softplus": F.softplus, "elu": F.elu,
                 "tanh": torch.tanh, "identity": lambda v: v}
    g.case("activations", {"x": x, "r": r},
           {name: torch.autograd.grad((f(x) * r).sum(), x)[0] for name, f in functions.items()})
    g.case("activation_values", {"x": x}, {name: f(x) for name, f in functions.items()})
    random = np.random.default_rng(5)   # drawn apart, so that the cases below keep their numbers
    x, r = (torch.from_numpy(random.normal(size=n).astype(np.float32)).double() for n in ((2, 7, 5, 3), (2, 3, 2, 3)))
    y = last(F.max_pool2d(F.relu(first(x.requires_grad_())), 3, 2))
    g.case("in_lists", {"x": x, "r": r}, {"y": y, "dx": torch.autograd.grad((y * r).sum(), x)[0]})
    g.write("layers")


def losses():
    g = Goldens()

    def case(name, inputs, values):
        """values: name of the result -> (value, [(name of a derivative, input), ...])."""
        results = {}
        for key, (value, wanted) in values.items():
            results[key] = value
            for (result, _), d in zip(wanted, torch.autograd.grad(value, [x for _, x in wanted], retain_graph=True)):
                results[result] = d
        g.case(name, inputs, results)

    def share(*shape):
        return torch.softmax(draw(*shape), -1).detach().float().double()

    y, t = draw(5, 3), draw(5, 3).detach()
    case("regression", {"y": y, "t": t}, {
        "mse": (F.mse_loss(y, t), [("dmse", y)]), "mae": (F.l1_loss(y, t), [("dmae", y)]),
        "huber": (F.huber_loss(y, t, delta=0.7), [("dhuber", y)]),
        "log_cosh": (torch.log(torch.cosh(y - t)).mean(), [("dlog_cosh", y)])})
    y, s, t = draw(7), draw(7), draw(7).detach()
    case("gaussian", {"y": y, "s": s, "t": t},
         {"value": (F.gaussian_nll_loss(y, t, torch.exp(s)), [("dy", y), ("ds", s)])})
    z, label, w = draw(6, 5), whole(0, 5, 6), draw(5).detach().abs() + 0.5
    w = w.float().double()
    case("entropies", {"z": z, "label": label, "w": w}, {
        "plain": (F.cross_entropy(z, label), [("dplain", z)]),
        "smooth": (F.cross_entropy(z, label, label_smoothing=0.1), [("dsmooth", z)]),
        "weighted": (F.cross_entropy(z, label, w), [("dweighted", z)]),
        "both": (F.cross_entropy(z, label, w, label_smoothing=0.2), [("dboth", z)])})
    z, label = draw(2, 3, 5), torch.tensor([[0, 3, 5], [1, 0, 2]])   # stored one higher: 0 means ignored
    case("ignored", {"z": z, "label": label, "w": w}, {"value": (F.cross_entropy(
        z.permute(0, 2, 1), label - 1, w, ignore_index=-1, label_smoothing=0.1), [("dz", z)])})
    z, p = draw(4, 5), share(4, 5)
    case("distributions", {"z": z, "p": p}, {
        "soft": (F.cross_entropy(z, p), [("dsoft", z)]),
        "kl": (F.kl_div(F.log_softmax(z, -1), p, reduction="batchmean"), [("dkl", z)]),
        "student": (2.5 ** 2 * F.kl_div(F.log_softmax(z / 2.5, -1), F.softmax(3 * p / 2.5, -1), reduction="batchmean"),
                    [("dstudent", z)])})
    z, label, w = draw(6, 4), whole(0, 4, 6), (draw(4).detach().abs() + 0.5).float().double()
    l = F.log_softmax(z, -1).gather(1, label[:, None])[:, 0]
    case("focals", {"z": z, "label": label, "w": w}, {
        "value": ((-(1 - l.exp()) ** 2 * l).mean(), [("dz", z)]),
        "weighted": ((-w[label] * (1 - l.exp()) ** 1.5 * l).mean(), [("dweighted", z)])})
    x, p, t = draw(9, scale=2.0), torch.sigmoid(draw(9)).detach().float().double().requires_grad_(), share(9)
    case("binary", {"x": x, "p": p, "t": t}, {
        "bce": (F.binary_cross_entropy(p, t), [("dbce", p)]),
        "logits": (F.binary_cross_entropy_with_logits(x, t), [("dlogits", x)]),
        "positive": (F.binary_cross_entropy_with_logits(x, t, pos_weight=torch.tensor(2.5)), [("dpositive", x)])})
    x, t, z, label = draw(9), whole(0, 2, 9) * 2.0 - 1, draw(6, 4), whole(0, 4, 6)
    case("margins", {"x": x, "t": t, "z": z, "label": label}, {
        "hinge": (F.relu(1 - t * x).mean(), [("dhinge", x)]), "multi": (F.multi_margin_loss(z, label), [("dmulti", z)])})
    a, p, n = draw(5, 3), draw(5, 3), draw(5, 3)
    case("triplets", {"a": a, "p": p, "n": n},
         {"value": (F.triplet_margin_loss(a, p, n, margin=0.8), [("da", a), ("dp", p), ("dn", n)])})
    e, label = draw(7, 3), torch.tensor([0, 1, 0, 2, 1, 1, 2])
    r = ((e[:, None] - e[None]) ** 2).sum(-1).add(1e-12).sqrt()
    same = label[:, None] == label[None]
    far, near = torch.where(same, r, 0.0).amax(1), torch.where(same, 1e30, r).amin(1)
    case("hardest", {"e": e, "label": label}, {"value": (F.relu(far - near + 0.5).mean(), [("de", e)])})
    a, b, t = draw(5, 3, scale=0.5), draw(5, 3, scale=0.5).detach(), whole(0, 2, 5).double()
    r = F.pairwise_distance(a, b)
    case("pairs", {"a": a, "b": b, "t": t}, {
        "contrastive": ((t * r ** 2 + (1 - t) * F.relu(1 - r) ** 2).mean(), [("dcontrastive", a)]),
        "cosine": (1 - F.cosine_similarity(a, b).mean(), [("dcosine", a)])})
    g.write("losses")


OPTIMIZERS = {   # as in optimizers.nacre
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "dampened": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, dampening=0.3),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam_decay": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.005),
    "rmsprop_centred": lambda p: torch.optim.RMSprop(p, lr=0.005, alpha=0.9, momentum=0.5, centered=True, weight_decay=0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05, lr_decay=0.1, weight_decay=0.01),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
}


def trajectories():
    """Ten steps of full-batch descent of cross entropy on 24 samples, 7-5-3 with tanh between."""
    x, label = draw(24, 7).detach(), whole(0, 3, 24)
    start = {"fc1.weight": draw(5, 7, scale=0.5), "fc1.bias": draw(5, scale=0.1), "fc2.weight": draw(3, 5, scale=0.5),
             "fc2.bias": draw(3, scale=0.1)}
    tensors = {}
    for name, make in OPTIMIZERS.items():
        weights = {key: value.detach().clone().requires_grad_() for key, value in start.items()}
        optimizer = make(list(weights.values()))
        for step in range(1, 11):
            optimizer.zero_grad()
            h = torch.tanh(x @ weights["fc1.weight"].T + weights["fc1.bias"])
            F.cross_entropy(h @ weights["fc2.weight"].T + weights["fc2.bias"], label).backward()
            optimizer.step()
            tensors.update({f"{name}.{step}.{key}": array(value) for key, value in weights.items()})
    safetensors.save(os.path.join(OUT, "optimizers.safetensors"), tensors)
    safetensors.save(os.path.join(OUT, "optimizers_weights.safetensors"), {key: array(value) for key, value in start.items()})
    np.save(os.path.join(OUT, "optimizers_x.npy"), array(x))
    np.save(os.path.join(OUT, "optimizers_label.npy"), array(label))


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    layers()
    losses()
    trajectories()
