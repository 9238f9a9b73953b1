import numpy as np
from check import Case


def warp(x, matrix, fill):
    """Bilinear, point by point, in double precision."""
    h, w, c = x.shape
    (a, b, dx), (d, e, dy) = matrix
    framed = np.full((h + 4, w + 4, c), fill, np.float64)
    framed[2:-2, 2:-2] = x
    out = np.empty((h, w, c))
    for i in range(h):
        for j in range(w):
            sx, sy = a * j + b * i + dx, d * j + e * i + dy
            sx, sy = np.clip(sx, -2, w), np.clip(sy, -2, h)
            x0, y0 = int(np.floor(sx)), int(np.floor(sy))
            u, v = sx - x0, sy - y0
            y0, x0 = y0 + 2, x0 + 2
            out[i, j] = ((1 - v) * ((1 - u) * framed[y0, x0] + u * framed[y0, x0 + 1])
                         + v * ((1 - u) * framed[y0 + 1, x0] + u * framed[y0 + 1, x0 + 1]))
    return out.astype(np.float32)


def about_centre(x, linear):
    """The matrix of a linear map of distances from the centre."""
    centre = np.array([(x.shape[1] - 1) / 2, (x.shape[0] - 1) / 2])
    return np.column_stack([linear, centre - linear @ centre])


def rotate(x, degrees, fill=0):
    t = np.radians(degrees)
    return warp(x, about_centre(x, np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])), fill)


def scalar(value):
    return np.array(value, np.float32)


def cases():
    random = np.random.default_rng(11)

    def draw(*shape):
        return random.uniform(size=shape).astype(np.float32)

    for h, w, c in (1, 1, 1), (5, 8, 1), (17, 6, 3), (20, 20, 4):
        x = draw(h, w, c)
        for degrees in 10, -33.5, 180:
            yield Case("rotated", {"x": x, "degrees": scalar(degrees), "fill": scalar(0.5)}, {"result": rotate(x, degrees, 0.5)},
                       within=5e-5)
        for factor in 0.7, 1.6:
            yield Case("scaled", {"x": x, "factor": scalar(factor)}, {"result": warp(x, about_centre(x, np.eye(2) / np.float32(factor)), 0)},
                       within=5e-5)
        for down, right in (1, -2), (0.25, 3.5), (40, 0):
            yield Case("shifted", {"x": x, "down": scalar(down), "right": scalar(right), "fill": scalar(2)},
                       {"result": warp(x, [[1, 0, -right], [0, 1, -down]], 2)}, within=5e-5)
        for top, left in (0, 0), (2, 1), (-1, 4):
            hole = x.copy()
            hole[max(top, 0):max(top + 3, 0), max(left, 0):max(left + 3, 0)] = -1
            yield Case("cut", {"x": x, "top": np.array(top, np.int32), "left": np.array(left, np.int32)},
                       {"flipped": x[:, ::-1].copy(), "hole": hole})
    for n in 1, 2, 8:
        x, label = draw(n, 4, 3, 2), random.integers(0, 9, n).astype(np.int32)
        mixed = np.float32(0.75) * x + np.float32(0.25) * np.roll(x, -1, 0)
        yield Case("mixed", {"x": x, "label": label, "share": scalar(0.75)}, {"blend": mixed, "next": np.roll(label, -1)})
    x = draw(12, 10, 4)
    turned = x[2:8, 1:9, 2:].transpose(1, 0, 2)
    yield Case("parts", {"x": x}, {"result": np.stack([rotate(x[2:10, 1:7, 1:3], 30), rotate(turned, -45)])}, within=5e-5)
