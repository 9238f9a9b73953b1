import numpy as np
import oracle
from check import Case


def attend(s, v):
    return (oracle.softmax(s.astype(np.float64)) @ v.astype(np.float64)).astype(np.float32)


def cases():
    random = np.random.default_rng(8)

    def draw(*shape, scale=1.0):
        return (scale * random.normal(size=shape)).astype(np.float32)

    def scores(q, k):
        return q.astype(np.float64) @ np.swapaxes(k, -1, -2).astype(np.float64)

    for n, m in (1, 1), (3, 2), (1, 300), (17, 17), (64, 64), (65, 63), (200, 300), (130, 1):
        q, k, v = draw(2, 3, n, 7), draw(2, 3, m, 7), draw(2, 3, m, 5)
        yield Case("plain", {"q": q, "k": k, "v": v}, {"result": attend(scores(q, k) / np.sqrt(7), v)})
    for n, m in (1, 1), (3, 9), (64, 64), (17, 300), (200, 200), (130, 257):
        q, k, v = draw(2, n, 16, scale=3), draw(2, m, 16), draw(2, m, 16)
        allowed = np.arange(m)[None] <= np.arange(n)[:, None] + m - n
        yield Case("causal", {"q": q, "k": k, "v": v}, {"result": attend(np.where(allowed, scores(q, k) / 4, -np.inf), v)})
    q, k, v = draw(2, 17, 12, scale=4), draw(2, 17, 12), draw(2, 17, 20)
    yield Case("sizes17", {"q": q, "k": k, "v": v}, {"result": attend(scores(q, k), v)})
    q, k, v = draw(2, 131, 64), draw(2, 131, 64), draw(2, 131, 64)
    pad = random.random(131) < 0.6
    pad[:3] = False  # rows without any key
    allowed = pad[None] & (np.arange(131)[None] <= np.arange(131)[:, None])
    yield Case("sizes131", {"q": q, "k": k, "v": v, "pad": pad}, {"result": attend(np.where(allowed, scores(q, k) / 8, -np.inf), v)})
    q, k, v = draw(1, 300, 8), draw(1, 300, 8), draw(1, 300, 8)
    i, j = np.arange(300)[:, None], np.arange(300)[None]
    yield Case("window", {"q": q, "k": k, "v": v}, {"result": attend(np.where((j <= i) & (j > i - 40), scores(q, k), -np.inf), v)})
    x = draw(2, 70, 96)
    q, k, v = np.transpose(x.reshape(2, 70, 3, 4, 8), (2, 0, 3, 1, 4))
    y = attend(scores(q, k) / np.sqrt(8), v)
    yield Case("together", {"x": x}, {"result": np.ascontiguousarray(np.swapaxes(y, 1, 2)).reshape(2, 70, 32)})
    q, k, v, bias = draw(6, 50, 8), draw(2, 90, 8), draw(2, 90, 8), draw(6, 50, 90)
    pad = np.where(random.random(90) < 0.3, -np.inf, 0).astype(np.float32)
    s = scores(q, np.repeat(k, 3, 0)) / 2 + bias + pad
    yield Case("grouped", {"q": q, "k": k, "v": v, "bias": bias, "pad": pad}, {"result": attend(s, np.repeat(v, 3, 0))})
    q, k, v = draw(40, 9), draw(70, 9), draw(70, 6)
    keep = ((random.random((40, 70)) < 0.8) / 0.8).astype(np.float32)
    y = (oracle.softmax(scores(q, k)) * keep) @ v.astype(np.float64)
    yield Case("by_hand", {"q": q, "k": k, "v": v, "keep": keep}, {"result": y.astype(np.float32)})
    p = oracle.softmax(scores(q, k).T).T
    yield Case("columns", {"q": q, "k": k, "v": v}, {"result": (p @ v.astype(np.float64)).astype(np.float32)})
