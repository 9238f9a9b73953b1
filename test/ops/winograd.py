import numpy as np
import oracle
from check import Case

MODES = {"edge 2": ["--cpu=native", "--winograd=2"], "edge 4": ["--cpu=native", "--winograd=4"],
         "edge 4, AVX2": ["--cpu=x86-64-v3", "--winograd=4"], "on": ["--cpu=native"], "off": ["--cpu=native", "--winograd=off"],
         "reference": ["--reference"]}
SIZES = [(1, 1), (2, 5), (3, 3), (4, 4), (6, 2), (7, 8), (9, 13), (13, 9)]
WIDE = 2e-5   # of the largest values, which are about 4 here; the transforms cost a digit

_random = np.random.default_rng(21)
FILTERS = {"one": (5, 1), "three": (17, 3), "odd": (33, 17), "even": (64, 64), "wide": (160, 64)}
WEIGHTS = {}
for _name, (_filters, _channels) in FILTERS.items():
    WEIGHTS[f"{_name}.weight"] = (_random.normal(size=(_filters, _channels, 3, 3)) / (3 * _channels ** 0.5)).astype(np.float32)
    if _name != "odd":
        WEIGHTS[f"{_name}.bias"] = _random.normal(size=_filters).astype(np.float32)


def convolve(name, x, pad=1):
    return oracle.conv2d(x, WEIGHTS[f"{name}.weight"], WEIGHTS.get(f"{name}.bias"), pad=pad)


def cases():
    random = np.random.default_rng(22)

    def draw(*shape):
        return random.normal(size=shape).astype(np.float32)

    def case(entry, x, **results):
        return Case(entry, {"x": x}, {name: value.astype(np.float32) for name, value in results.items()}, within=WIDE)

    for h, w in SIZES:
        for n in 1, 3:
            x = draw(n, h, w, 3)
            yield case(f"three_{h}_{w}", x, result=convolve("three", x))
    x = draw(2, 9, 6, 1)
    yield case("one", x, result=convolve("one", x))
    x = draw(1, 13, 11, 17)
    yield case("odd", x, result=convolve("odd", x))
    for n in 1, 3:
        x = draw(n, 14, 18, 64)
        yield case("residual", x, result=np.maximum(x + convolve("even", x), 0))
        x = draw(n, 11, 10, 64)
        yield case("wide", x, result=convolve("wide", x, pad=0))
    x = draw(1, 12, 20, 64)
    inner = np.maximum(convolve("even", x), 0)
    yield case("chain", x, inner=inner, result=np.maximum(convolve("even", inner), 0))
    for n, h, w in (1, 1, 1), (3, 2, 7), (2, 8, 8), (1, 5, 20), (1, 19, 9):
        x = draw(n, h, w, 17)
        yield case("any_size", x, result=convolve("odd", x))
