import numpy as np
import oracle
from check import Case

_random = np.random.default_rng(8)
CONVOLUTIONS = {   # weight shape, settings
    "plain": ((8, 3, 3, 3), {}), "same": ((5, 3, 5, 5), {"pad": 2}), "strided": ((17, 3, 3, 3), {"stride": 2, "pad": 1}),
    "dilated": ((4, 3, 3, 3), {"dilation": 2}), "grouped": ((6, 2, 3, 3), {"pad": 1, "groups": 2}),
    "depthwise": ((4, 1, 3, 3), {"pad": 1, "groups": 4}), "pointwise": ((33, 4, 1, 1), {})}
WEIGHTS = {}
for _name, (_shape, _) in CONVOLUTIONS.items():
    WEIGHTS[f"{_name}.weight"] = (0.3 * _random.normal(size=_shape)).astype(np.float32)
    if _name != "same":
        WEIGHTS[f"{_name}.bias"] = _random.normal(size=_shape[0]).astype(np.float32)


def convolve(name, x):
    return oracle.conv2d(x, WEIGHTS[f"{name}.weight"], WEIGHTS.get(f"{name}.bias"), **CONVOLUTIONS[name][1]).astype(np.float32)


def cases():
    random = np.random.default_rng(9)

    def draw(*shape):
        return random.normal(size=shape).astype(np.float32)

    for n in 1, 3, 8:
        x = draw(n, 9, 11, 3)
        yield Case("convolve", {"x": x}, {name: convolve(name, x) for name in ("plain", "same", "strided", "dilated")})
        x = draw(n, 7, 5, 4)
        yield Case("group", {"x": x}, {name: convolve(name, x) for name in ("grouped", "depthwise", "pointwise")})
        x = draw(n, 12, 12, 3)
        yield Case("block", {"x": x}, {"result": oracle.max_pool(np.maximum(convolve("plain", x), 0), 2, 2)})
    for n, h, w in (1, 3, 3), (2, 7, 12), (4, 40, 40), (1, 4, 33):
        x = draw(n, h, w, 3)
        yield Case("any_size", {"x": x}, {name: convolve(name, x) for name in ("plain", "same", "strided")})
    yield Case("any_size", {"x": draw(1, 2, 5, 3)}, refusal="h")
    for n, h, w, c in (1, 3, 3, 1), (2, 7, 8, 5), (4, 40, 40, 40), (1, 5, 16, 17):
        x = draw(n, h, w, c)
        yield Case("pools", {"x": x}, {"max2": oracle.max_pool(x, 2, 2), "avg2": oracle.avg_pool(x, 2, 2).astype(np.float32),
                                       "max3": oracle.max_pool(x, 3, 1), "avg3": oracle.avg_pool(x, 3, 2).astype(np.float32),
                                       "mean_all": x.astype(np.float64).mean((1, 2)).astype(np.float32), "max_all": x.max((1, 2))})
        if max(h, w, c) <= 10:
            yield Case("flatten", {"x": x}, {"result": x.transpose(0, 3, 1, 2).reshape(n, -1)})
    x = draw(1, 5, 5, 1)
    x[0, 2, 2, 0] = np.nan
    x[0, 0, 0, 0] = -np.inf
    yield Case("pools", {"x": x}, {"max2": oracle.max_pool(x, 2, 2), "max3": oracle.max_pool(x, 3, 1), "max_all": x.max((1, 2))})
