import numpy as np
from check import Case
from oracle import logsumexp


def f32(**arrays):
    return {name: np.asarray(a).astype(np.float32) for name, a in arrays.items()}


def last(x):
    d = x.astype(np.float64)
    return f32(sums=d.sum(1), products=d.prod(1), means=d.mean(1), maxima=d.max(1), minima=d.min(1), logs=logsumexp(d, 1)) | {
        "where_max": x.argmax(1).astype(np.int32), "where_min": x.argmin(1).astype(np.int32)}


def cases():
    random = np.random.default_rng(2)

    def draw(*shape):
        return random.normal(size=shape).astype(np.float32)

    for shape in (1, 1), (1, 7), (3, 16), (5, 17), (70, 200), (13, 65), (33, 1):
        yield Case("last", {"x": (x := draw(*shape))}, last(x))
    with np.errstate(all="ignore"):
        ties = np.array([[1, 3, 3, 2], [-np.inf, -np.inf, 0, 0], [5, 5, 5, 5]], np.float32)
        yield Case("last", {"x": ties}, last(ties))
        masked = np.full((2, 5), -np.inf, np.float32)
        masked[1, 3] = 2
        yield Case("last", {"x": masked}, last(masked))
        infinite = np.array([[1, np.inf, 2], [-np.inf, 0, 1]], np.float32)
        expected = last(infinite)
        expected["logs"] = np.array([np.inf, np.log(1 + np.e)], np.float32)
        yield Case("last", {"x": infinite}, expected)
        spoiled = draw(3, 40)
        spoiled[1, 20] = np.nan
        expected = last(spoiled)
        for name in "where_max", "where_min":   # which place a NaN takes is left open
            expected.pop(name)
        yield Case("last", {"x": spoiled}, expected)

    for shape in (1, 1), (7, 1), (16, 3), (17, 5), (200, 70), (3, 33):
        x = draw(*shape)
        d = x.astype(np.float64)
        yield Case("first", {"x": x}, f32(sums=d.sum(0), means=d.mean(0), maxima=d.max(0), minima=d.min(0))
                   | {"where_max": x.argmax(0).astype(np.int32)})
    for shape in (1, 1, 1, 1), (2, 3, 4, 5), (5, 6, 7, 35), (1, 6, 1, 17):
        x = draw(*shape)
        d = x.astype(np.float64)
        yield Case("several", {"x": x}, f32(middle=d.sum((1, 2)), outer=d.mean((0, 3)), ends=d.min((0, 2, 3)), peak=d.max((0, 1, 3)),
                                            group=d.sum((0, 1, 2))))
    for shape in (1, 1, 1), (3, 1, 5), (9, 9, 90):
        x = draw(*shape)
        d = x.astype(np.float64)
        # Summands cancel: the error of a sum in f32 goes with the sum of their magnitudes, not with the result.
        within = max(1e-5, 2e-8 * np.abs(d).sum())
        yield Case("whole", {"x": x}, f32(total=d.sum(), average=d.mean(), largest=d.max(), smallest=d.min(), squares=(d * d).sum()),
                   within=within)
    for shape in (1, 1), (5, 9), (30, 30):
        x = random.integers(-2, 3, shape).astype(np.int32)
        yield Case("integers", {"x": x}, {"sums": x.sum(1, dtype=np.int32), "products": x.prod(0, dtype=np.int32), "maxima": x.max(1),
                                          "total": np.array(x.sum(dtype=np.int32))})
    for shape in (1, 1), (6, 5), (30, 30):
        x = draw(*shape)
        yield Case("booleans", {"x": x}, {"some": (x > 1).any(1), "every": (x > -1).all(1)})
    for n, m in (1, 1), (4, 7), (30, 50):
        x, y = draw(n, m), draw(m)
        d, e = x.astype(np.float64), y.astype(np.float64)
        yield Case("nested", {"x": x, "y": y}, f32(weighted=d @ e / m + d.max(1), spread=((d - d.mean(1, keepdims=True))**2).sum(1),
                                                   deep=(d * e).max(1).sum()))
    for n in 1, 2, 9, 40:
        x = draw(n, n)
        keep = np.tril(np.ones((n, n), bool))
        yield Case("triangle", {"x": x}, f32(below=np.where(keep, x.astype(np.float64), 0).sum(1),
                                             first=np.where(keep.T, x, -np.inf).max(1)))
    yield Case("triangle", {"x": np.zeros((3, 4), np.float32)}, refusal="x")
