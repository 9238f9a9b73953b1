import numpy as np
from check import Case


def cases():
    random = np.random.default_rng(5)

    def draw(*shape):
        return random.normal(size=shape).astype(np.float32)

    x = draw(5)
    yield Case("numbers", {"x": x}, {"three": x[[4, 0, 2]] * np.float32([1, 2, 1]), "column": x[[1, 3, 0], None]})
    for a, b, c in (1, 1, 1), (2, 3, 5), (6, 7, 20):
        x = draw(a, b, c)
        yield Case("reshaped", {"x": x}, {"flat": x.reshape(-1), "merged": x.reshape(a, -1), "split_again": x.reshape(a, c, b),
                                          "open": x.reshape(b, -1)})
        y = draw(a, 4, c)
        if max(a, 4) <= 4 and b <= 6:
            yield Case("deep_join", {"x": x, "y": y}, {"result": np.concatenate([x, y], 1)})
    for a, b, c, d in (1, 1, 1, 1), (3, 5, 2, 4), (8, 20, 20, 8), (2, 16, 1, 1):
        x, y, z = draw(a, b), draw(a, c), draw(d, b)
        yield Case("joined", {"x": x, "y": y, "z": z}, {"wide": np.hstack([x, y]), "tall": np.vstack([x, z]),
                                                        "thrice": np.hstack([x, 2 * x, x + 1])})
    for n, m in (3, 2), (5, 9), (20, 30):
        x = draw(n, m)
        yield Case("sliced", {"x": x}, {"head": x[:2], "tail": x[2:], "column": x[:, 0].copy(), "row": x[-1], "inner": x[1:-1, 1:].copy(),
                                        "corner": np.array(x[-1, -1])})
    for n in 1, 7, 20:
        x = draw(n, 12)
        p, q, r = np.split(x, 3, 1)
        yield Case("parts", {"x": x}, {"first": p, "second": q * 2, "third": r - p})
        x = draw(n, 6)
        r = (x.T * 2).reshape(3, 2, n) + np.float32(1)
        yield Case("chained", {"x": x}, {"result": r[:, :, ::-1].transpose(2, 1, 0).reshape(2 * n, 3)})
    for a, b, c in (1, 1, 1), (2, 3, 5), (20, 30, 35), (1, 17, 16):
        x = draw(a, b, c)
        yield Case("turned", {"x": x}, {"swapped": x.transpose(1, 0, 2), "cycled": x.transpose(2, 0, 1), "last": x.transpose(0, 2, 1),
                                        "squeezed": x[0].T})
    for a, b in (1, 1), (5, 9), (20, 30):
        x, y = draw(a), draw(b)
        k = np.arange(3, dtype=np.float32)
        yield Case("spread", {"x": x, "y": y}, {"rows": np.repeat(x[:, None], b, 1), "grid": x[:, None, None] + y[:, None] * k,
                                                "table": np.outer(x, y)})
    for n in 1, 9, 40:
        x = draw(n)
        yield Case("constants", {"x": x}, {"ramp": x + np.arange(n, dtype=np.float32), "ones": np.ones((n, 2), np.float32),
                                           "table": np.array([1.5, -2, 0.25], np.float32) * x[0]})
