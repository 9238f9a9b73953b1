import numpy as np
from check import Case


def cases():
    random = np.random.default_rng(4)

    def draw(*shape):
        return random.normal(size=shape).astype(np.float32)

    for n, k in (1, 1), (5, 3), (9, 9), (100, 7), (33, 2):
        x, w = draw(n), draw(k)
        yield Case("filter", {"x": x, "w": w}, {"result": np.correlate(x.astype(np.float64), w.astype(np.float64), "valid").astype(np.float32)})
    yield Case("filter", {"x": draw(3), "w": draw(5)}, refusal="k <= n")
    for n in 2, 3, 50, 99:
        x = draw(n)
        yield Case("strided", {"x": x}, {"even": x[::2].copy(), "reversed": x[::-1].copy(), "neighbours": x[1:] - x[:-1]})
    yield Case("strided", {"x": draw(1)}, refusal="n")
    for n, c in (1, 2), (7, 6), (20, 30):
        x = draw(n, c)
        yield Case("blocks", {"x": x}, {"repeated": x.repeat(3, 0), "cycled": np.tile(x, (1, 2)), "grouped": x[:, ::2] * x[:, 1::2]})
    yield Case("blocks", {"x": draw(4, 5)}, refusal="c % 2 == 0")
    for n, m in (1, 1), (5, 8), (30, 30), (1, 17):
        x = draw(n, m)
        i, j = np.indices((n, m))
        yield Case("conditions", {"x": x}, {"previous": np.vstack([np.zeros((1, m), np.float32), x[:-1]]),
                                            "padded": np.pad(x, 1, constant_values=-1), "triangle": np.where(j <= i, x, np.float32(-np.inf)),
                                            "parity": np.where((i + j) % 2 == 0, x, -x)})
        yield Case("places", {"x": x}, {"rows": (x.astype(np.float64) * i - j).astype(np.float32), "ramp": (i * m + j).astype(np.int32),
                                        "weighted": np.array((x.astype(np.float64) * (i + 1) / (j + 1)).sum(), np.float32)},
                   within=5e-5)   # 900 terms of size 30, added one by one
    for v, d, b, t in (1, 1, 1, 1), (7, 5, 2, 3), (50, 40, 5, 9):
        table, ids = draw(v, d), random.integers(0, v, (b, t)).astype(np.int32)
        yield Case("lookup", {"table": table, "ids": ids}, {"rows": table[ids], "first": table[ids[:, 0]],
                                                            "total": table[ids].astype(np.float64).sum((0, 1)).astype(np.float32)})
    yield Case("lookup", {"table": draw(3, 2), "ids": np.array([[0, 3]], np.int32)}, refusal="ids")
    yield Case("lookup", {"table": draw(3, 2), "ids": np.array([[-1, 0]], np.int32)}, refusal="ids")
    for n, k in (1, 1), (9, 4), (40, 20):
        z, label, order = draw(n, k), random.integers(0, k, n).astype(np.int32), random.permutation(n).astype(np.int32)
        yield Case("picks", {"z": z, "label": label, "order": order},
                   {"picked": z[np.arange(n), label], "permuted": z[order], "chained": z[order, label[order]]})
    x = np.array([1, 0, -5, 100, 1.5], np.float32)
    yield Case("clamped", {"x": x}, {"result": x[np.clip((2 * x).astype(int), 0, 4)]})
    for n in 1, 2, 13, 20:
        x = draw(n, n)
        i, j = np.indices((n, n))
        yield Case("diagonals", {"x": x}, {"diagonal": np.diag(x).copy(), "spread": np.diag(np.diag(x)), "shear": x[i, (i + j) % n]})
