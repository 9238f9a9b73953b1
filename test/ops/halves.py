import numpy as np
from check import Case


def bf16(x):
    """Numbers of f32 rounded to bf16, ties to even."""
    x = np.asarray(x, dtype=np.float32)
    bits = x.view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return np.where(np.isnan(x), x, bits.astype(np.uint32).view(np.float32))


def cases():
    random = np.random.default_rng(7)

    def draw(*shape):
        return bf16(random.normal(size=shape))

    def einsum(subscripts, *arrays):
        return np.einsum(subscripts, *(a.astype(np.float64) for a in arrays)).astype(np.float32)

    step = 2.0 ** -8  # of bf16, whose sums may have been taken in another order
    for m in 1, 2, 15, 16, 17, 33, 63, 64, 100, 256, 257, 300, 600:
        a, b = draw(m, 64), draw(64, 48)
        yield Case("rows", {"a": a, "b": b}, {"result": einsum("ij,jk->ik", a, b)})
    a, b = draw(37, 101), draw(101, 45)
    yield Case("odd", {"a": a, "b": b}, {"result": bf16(einsum("ij,jk->ik", a, b))}, within=step)
    a[3, 7], a[5, 100], b[100, 44], b[4, 2] = np.nan, np.inf, -np.inf, bf16(3e38)
    a[11, :], a[12, 4] = 0, bf16(3e38)
    with np.errstate(invalid="ignore", over="ignore"):
        yield Case("odd", {"a": a, "b": b}, {"result": bf16(einsum("ij,jk->ik", a, b))}, within=step)
    a, b = draw(50, 1101), draw(1101, 33)
    yield Case("deep", {"a": a, "b": b}, {"result": einsum("ij,jk->ik", a, b)}, within=1e-4)
    a, b = draw(288, 1024), draw(1024, 64)
    yield Case("blocks", {"a": a, "b": b}, {"result": einsum("ij,jk->ik", a, b)}, within=1e-4)
    a, b = draw(70, 40), draw(31, 70)
    yield Case("transposed", {"a": a, "b": b}, {"result": einsum("ji,kj->ik", a, b)})
    a, b = draw(3, 33, 64), draw(3, 64, 40)
    yield Case("batched", {"a": a, "b": b}, {"result": bf16(einsum("bij,bjk->bik", a, b))}, within=step)
    a, b, bias, skip = draw(40, 64), draw(50, 64), draw(50), draw(40, 50)
    c = np.maximum(einsum("ij,kj->ik", a, b) + bias, 0) + skip
    yield Case("finished", {"a": a, "b": b, "bias": bias, "skip": skip}, {"result": bf16(c)}, within=step)
    x, w = draw(2, 9, 19, 32), draw(3, 3, 32, 24)
    y = sum(einsum("nijc,cf->nijf", x[:, u:u + 7, v:v + 17], w[u, v]) for u in range(3) for v in range(3))
    yield Case("convolution", {"x": x, "w": w}, {"result": bf16(y)}, within=step)
    x, w = draw(1, 16, 33, 48), draw(2, 2, 48, 17)
    y = sum(einsum("nijc,cf->nijf", x[:, u:u + 15:2, v:v + 31:2], w[u, v]) for u in range(2) for v in range(2))
    yield Case("strided", {"x": x, "w": w}, {"result": y})
    a, x = draw(600, 64), draw(64)
    yield Case("vector", {"a": a, "x": x}, {"result": einsum("ij,j->i", a, x)})
    a, b = (random.normal(size=s).astype(np.float16) for s in ((37, 101), (101, 45)))
    yield Case("half", {"a": a, "b": b}, {"result": einsum("ij,jk->ik", a, b).astype(np.float16)}, within=2.0 ** -10)
    for n in 1, 3, 257, 9000:  # bf16 sums would stop growing at 256
        x = bf16(np.full(n, 1.0))
        yield Case("total", {"x": x}, {"sum": bf16(n), "mean": np.float32(1), "wide": np.float32(n)})
        x, y = draw(n), draw(n)
        z = (x + y) * (x - y) + np.float32(0.1)
        yield Case("once", {"x": x, "y": y}, {"result": bf16(z)}, within=step / 2)
        yield Case("steps", {"x": x, "y": y}, {"result": bf16(bf16(x + y) * bf16(x - y))}, within=1e-6)

    def whole(kind, *shape):
        info = np.iinfo(kind)
        array = random.integers(info.min, info.max + 1, shape).astype(kind)
        array[:2] = info.min  # products at their largest
        array[2:4] = info.max
        return array

    for entry, left, right in (("unsigned_signed", np.uint8, np.int8), ("signed_signed", np.int8, np.int8)):
        a, b = whole(left, 37, 130), whole(right, 130, 45)
        yield Case(entry, {"a": a, "b": b}, {"result": a.astype(np.int32) @ b.astype(np.int32)})
    a, b = whole(np.int8, 64, 256), whole(np.uint8, 45, 256)
    yield Case("signed_unsigned", {"a": a, "b": b}, {"result": a.astype(np.int32) @ b.astype(np.int32).T})
    a, b = whole(np.uint8, 64, 256), whole(np.uint8, 256, 48)
    yield Case("unsigned_unsigned", {"a": a, "b": b}, {"result": a.astype(np.int32) @ b.astype(np.int32)})
