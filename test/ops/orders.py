import numpy as np
from check import Case


def order(x, axis=-1, descending=False):
    """Stable; a NaN comes last in either direction."""
    nan = np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)
    key = -x.astype(np.float64) if descending else x
    return np.lexsort((np.where(nan, 0, key), nan), axis=axis).astype(np.int32)


def cases():
    random = np.random.default_rng(30)
    for n in 1, 2, 70:
        x = random.integers(-3, 4, (n, 13)).astype(np.float32)  # many ties
        x[random.random(x.shape) < 0.1] = np.nan
        x[random.random(x.shape) < 0.05] = np.inf
        o = order(x)
        yield Case("lines", {"x": x}, {"order": o, "sorted": np.take_along_axis(x, o, -1), "place": o, "down": order(x, descending=True)})
        x = random.normal(size=(n, 5, 3)).astype(np.float32).round(1)
        yield Case("columns", {"x": x}, {"middle": order(x, 1), "first": order(x, 0, True)})
        x = random.normal(size=(n, 9)).astype(np.float32).round(1)
        o = order(x, descending=True)[:, :4]
        yield Case("largest", {"x": x}, {"values": np.take_along_axis(x, o, -1), "places": o})
    for n in 1, 33, 5000:
        x, y = random.integers(-2**62, 2**62, n), random.integers(-50, 50, n).astype(np.int32)
        yield Case("whole", {"x": x, "y": y}, {"up": order(x), "down": order(y, descending=True)})
    for n in 1, 3, 40:
        x, k = random.normal(size=(n, 6, 17)).astype(np.float32), random.integers(-9, 9, n).astype(np.int32)
        wide = x.astype(np.float64)
        yield Case("sums", {"x": x, "k": k}, {
            "last": wide.cumsum(2).astype(np.float32), "middle": wide.cumsum(1).astype(np.float32),
            "first": wide.cumsum(0).astype(np.float32), "back": wide[:, ::-1].cumsum(1)[:, ::-1].astype(np.float32),
            "whole": k[::-1].cumsum()[::-1].astype(np.int32)})
