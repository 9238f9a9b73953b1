"""Formulas that NumPy lacks, in f64 and as plainly as they are defined. Run as a program it compares them with PyTorch."""
import math

import numpy as np

erf = np.vectorize(math.erf, otypes=[np.float64])


def conv2d(x, weight, bias=None, stride=1, pad=0, dilation=1, groups=1):
    """x [n, h, w, c], weight [o, c/groups, kh, kw] -> [n, oh, ow, o]."""
    x = np.pad(x.astype(np.float64), ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    n, h, w, c = x.shape
    o, cg, kh, kw = weight.shape
    oh, ow = (h - dilation * (kh - 1) - 1) // stride + 1, (w - dilation * (kw - 1) - 1) // stride + 1
    y = np.zeros((n, oh, ow, o))
    for f in range(o):
        first = f // (o // groups) * cg
        for g in range(cg):
            for u in range(kh):
                for v in range(kw):
                    rows = slice(u * dilation, u * dilation + (oh - 1) * stride + 1, stride)
                    columns = slice(v * dilation, v * dilation + (ow - 1) * stride + 1, stride)
                    y[..., f] += x[:, rows, columns, first + g] * float(weight[f, g, u, v])
    return y if bias is None else y + bias.astype(np.float64)


def windows(x, k, stride):
    """[n, h, w, c] -> [n, oh, ow, k, k, c]."""
    oh, ow = (x.shape[1] - k) // stride + 1, (x.shape[2] - k) // stride + 1
    return np.stack([np.stack([x[:, i * stride:i * stride + k, j * stride:j * stride + k] for j in range(ow)], 1)
                     for i in range(oh)], 1)


def max_pool(x, k, stride):
    return windows(x, k, stride).max((3, 4))


def avg_pool(x, k, stride):
    return windows(x.astype(np.float64), k, stride).mean((3, 4))


def logsumexp(x, axis):
    x = x.astype(np.float64)
    m = x.max(axis, keepdims=True)
    m = np.where(np.isfinite(m), m, 0)
    with np.errstate(divide="ignore"):
        return np.squeeze(np.log(np.exp(x - m).sum(axis, keepdims=True)) + m, axis)


def softmax(x):
    """Over the last axis; a row of -inf gives zeros."""
    x = x.astype(np.float64)
    m = np.maximum(x.max(-1, keepdims=True), -1e30)
    e = np.exp(x - m)
    return e / np.maximum(e.sum(-1, keepdims=True), 1e-30)


def log_softmax(x):
    return x - logsumexp(x, -1)[..., None]


def layer_norm(x, weight, bias, eps=1e-5):
    x = x.astype(np.float64)
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + eps) * weight + bias


def batch_norm(x, weight, bias, mean, variance, eps=1e-5):
    return (x.astype(np.float64) - mean) / np.sqrt(variance.astype(np.float64) + eps) * weight + bias


def gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def compare_with_torch():
    import torch
    import torch.nn.functional as F

    def near(name, ours, theirs):
        error = np.abs(np.asarray(ours) - theirs.numpy()).max()
        print(f"{name:40} {error:.1e}")
        assert error < 1e-10

    random = np.random.default_rng(0)
    for groups, stride, pad, dilation in [(1, 1, 0, 1), (1, 2, 1, 1), (2, 1, 1, 2), (4, 3, 2, 1)]:
        x, w, b = random.normal(size=(2, 9, 11, 4)), random.normal(size=(8, 4 // groups, 3, 3)), random.normal(size=8)
        theirs = F.conv2d(torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(w), torch.from_numpy(b), stride, pad,
                          dilation, groups).permute(0, 2, 3, 1)
        near(f"conv2d groups {groups} stride {stride}", conv2d(x, w, b, stride, pad, dilation, groups), theirs)
    for k, stride in [(2, 2), (3, 1), (3, 2)]:
        t = torch.from_numpy(x).permute(0, 3, 1, 2)
        near(f"max_pool {k} {stride}", max_pool(x, k, stride), F.max_pool2d(t, k, stride).permute(0, 2, 3, 1))
        near(f"avg_pool {k} {stride}", avg_pool(x, k, stride), F.avg_pool2d(t, k, stride).permute(0, 2, 3, 1))
    t = torch.from_numpy(x)
    near("softmax", softmax(x), F.softmax(t, -1))
    near("log_softmax", log_softmax(x), F.log_softmax(t, -1))
    near("logsumexp", logsumexp(x, -1), torch.logsumexp(t, -1))
    g, s = random.normal(size=4), random.normal(size=4)
    near("layer_norm", layer_norm(x, g, s), F.layer_norm(t, (4,), torch.from_numpy(g), torch.from_numpy(s)))
    m, v = random.normal(size=4), random.random(4) + 0.5
    near("batch_norm", batch_norm(x, g, s, m, v), F.batch_norm(t.permute(0, 3, 1, 2), *map(torch.from_numpy, (m, v, g, s)))
         .permute(0, 2, 3, 1))
    near("gelu", gelu(x), F.gelu(t))


if __name__ == "__main__":
    compare_with_torch()
