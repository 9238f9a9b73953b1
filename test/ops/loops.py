import numpy as np
from check import Case


def recurrent(x, w, h):
    x, w, h = x.astype(np.float64), w.astype(np.float64), h.astype(np.float64)
    all = []
    for row in x:
        h = np.tanh(h @ w + row)
        all.append(h)
    return {"all": np.array(all).astype(np.float32), "last": h.astype(np.float32)}


def root(a):
    a, x, steps = np.float32(a), np.float32(a), 0
    while abs(x * x - a) > np.float32(1e-5) * a and steps < 50:
        x = np.float32(0.5) * (x + a / x)
        steps += 1
    return {"x": np.array(x, np.float32), "steps": np.array(steps, np.int32)}


def halvings(a):
    trace = np.zeros(20, np.float32)
    for i in range(20):
        if not a.max() > 1:
            break
        a = a / 2
        trace[i] = a.max()
    return {"x": a, "trace": trace}


def cases():
    random = np.random.default_rng(20)
    normal = lambda *shape: random.normal(size=shape).astype(np.float32)
    for t in 1, 2, 37, 60:
        x, w, h = normal(t, 3, 17), 0.3 * normal(17, 17), normal(3, 17)
        yield Case("recurrent", {"x": x, "w": w, "h": h}, recurrent(x, w, h))
    for a in 2, 1, 1e6, 0.3:
        yield Case("root", {"a": np.array(a, np.float32)}, root(a))
    for n in 1, 7, 33:
        for scale in 0.01, 3, 1e3, 1e9:
            a = scale * np.abs(normal(n))
            yield Case("halvings", {"a": a.astype(np.float32)}, halvings(a.astype(np.float32)))
        a, b = normal(n), normal(n)
        p, q, r = a, b, a
        for _ in range(7):
            p, q, r = q, r, p + 1
        yield Case("swap", {"a": a, "b": b}, {"p": p, "q": q, "r": r})
        f, g, all = a, a, []
        for _ in range(10):
            f, g = g, f + g
            all.append(f)
        yield Case("fibonacci", {"x": a}, {"result": np.array(all)})
        x = normal(n, 4)
        yield Case("backwards", {"x": x}, {"first": 2 * x[:, 0], "both": x + 2 * x[:, :1]})
    for n, m in (1, 1), (5, 16), (30, 37):
        x = normal(n, m)
        part = 1.75 * x
        yield Case("nested", {"x": x}, {"total": part.sum(0), "rows": part})
    for n in 1, 5, 300:
        ids, w = random.integers(0, 10, n).astype(np.int32), normal(n)
        h, c = np.zeros(10), np.zeros(10, np.int64)
        np.add.at(h, ids, w.astype(np.float64))
        np.add.at(c, ids, 1)
        yield Case("histogram", {"ids": ids, "w": w}, {"real": h.astype(np.float32), "whole": c})
    for n in 1, 50:
        table, ids, dy = normal(12, 35), random.integers(0, 12, n), normal(n, 35)
        after = table.astype(np.float64)
        np.add.at(after, ids, 2 * dy.astype(np.float64))
        yield Case("rows", {"table": table, "ids": ids, "dy": dy}, {"result": after.astype(np.float32)})
    for n in 1, 2, 100:
        x = normal(n, 3)
        out = np.zeros(n + 2)
        for u in range(3):
            out[u:u + n] += x[:, u]
        yield Case("overlap", {"x": x}, {"result": out.astype(np.float32)})
