import numpy as np
from check import Case

SIZES = [(1, 1, 1), (1, 64, 10), (7, 5, 3), (16, 16, 16), (17, 33, 31), (64, 128, 64), (65, 1, 129), (140, 140, 140), (3, 139, 1),
         (128, 7, 33)]


def cases():
    random = np.random.default_rng(3)

    def draw(*shape):
        return random.normal(size=shape).astype(np.float32)

    def einsum(subscripts, *arrays):
        return np.einsum(subscripts, *(a.astype(np.float64) for a in arrays)).astype(np.float32)

    for m, k, n in SIZES:
        a, b = draw(m, k), draw(k, n)
        c = einsum("ij,jk->ik", a, b)
        yield Case("product", {"a": a, "b": b}, {"result": c})
        yield Case("transposed_b", {"a": a, "b": b.T.copy()}, {"result": c})
        yield Case("transposed_a", {"a": a.T.copy(), "b": b}, {"result": c})
        yield Case("transposed_result", {"a": a, "b": b}, {"result": c.T.copy()})
        x, y = draw(k), draw(m)
        if max(m, k) <= 130:
            yield Case("vectors", {"a": a, "x": x, "y": y}, {"right": einsum("ij,j->i", a, x), "left": einsum("i,ij->j", y, a),
                                                             "outer": np.outer(y, x), "inner": einsum("i,i->", x, x)})
    a, b = draw(5, 4), draw(4, 6)
    a[2, 1], b[3, 5] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        yield Case("product", {"a": a, "b": b}, {"result": einsum("ij,jk->ik", a, b)})
    yield Case("fixed", {"a": (a := draw(37, 53)), "b": (b := draw(53, 29))}, {"result": einsum("ij,jk->ik", a, b)})
    for b, h, m, k, n in (1, 1, 1, 1, 1), (2, 3, 5, 7, 9), (3, 4, 20, 20, 40), (1, 4, 1, 16, 17):
        x, y = draw(b, h, m, k), draw(b, h, k, n)
        yield Case("batched", {"a": x, "c": y}, {"result": einsum("bhij,bhjk->bhik", x, y)})
    for b, t, s, h, d in (1, 1, 1, 1, 1), (2, 5, 7, 3, 9), (2, 20, 20, 4, 40):
        q, k = draw(b, t, h, d), draw(b, s, h, d)
        yield Case("heads", {"q": q, "k": k}, {"result": (einsum("bihe,bjhe->bhij", q, k) / np.sqrt(d)).astype(np.float32)})
    for m, p, q, n in (1, 1, 1, 1), (5, 3, 7, 11), (20, 10, 10, 40):
        x, y = draw(m, p, q), draw(p, q, n)
        yield Case("two_indices", {"a": x, "b": y}, {"result": einsum("iuv,uvj->ij", x, y)})
    for m, p, q in (1, 1, 1), (5, 3, 7), (20, 20, 20):
        x, w, y = draw(m, p), draw(p, q), draw(m, q)
        yield Case("three_factors", {"x": x, "w": w, "y": y}, {"result": einsum("iu,uv,iv->i", x, w, y)})
    for n in 1, 2, 17, 60:
        a = draw(n, n)
        yield Case("square", {"a": a}, {"product": einsum("ij,jk->ik", a, a), "trace": einsum("ii->", a), "diagonal": np.diag(a).copy()})
    for m, k, n in (1, 1, 1), (3, 5, 7), (33, 65, 17), (70, 70, 70):
        x, w, bias, skip = draw(m, k), draw(n, k), draw(n), draw(m, n)
        h = einsum("ij,kj->ik", x, w).astype(np.float64)
        yield Case("chain", {"x": x, "w": w, "bias": bias, "skip": skip},
                   {"y": (np.maximum(h + bias, 0) + skip).astype(np.float32), "z": np.tanh(h * 0.5 + skip).astype(np.float32)})
    for m, k, n in (1, 1, 1), (5, 9, 3), (40, 40, 40):
        a, b = random.normal(size=(m, k)), random.normal(size=(k, n))
        yield Case("doubles", {"a": a, "b": b}, {"result": a @ b}, within=1e-13)
        i, j = random.integers(-50, 50, (m, k)).astype(np.int32), random.integers(-50, 50, (k, n)).astype(np.int32)
        yield Case("integers", {"a": i, "b": j}, {"result": i @ j})
        x, y = draw(m, k), draw(k, n)
        yield Case("tropical", {"a": x, "b": y}, {"result": (x[:, :, None] + y[None]).max(1)})
    yield Case("product", {"a": draw(3, 4), "b": draw(5, 6)}, refusal="b")
    yield Case("product", {"a": draw(3, 141), "b": draw(141, 6)}, refusal="k <= 140")
