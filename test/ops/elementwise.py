import numpy as np
from check import Case
from oracle import erf

SPECIAL = np.array([0.0, -0.0, 1e-40, -1e-40, 1e-7, 0.5, -0.5, 1.5, 2.5, -2.5, 88.5, -87.0, -104.0, 3e4, -3e4, np.inf, -np.inf,
                    np.nan], np.float32)


def f32(*arrays):
    return [np.asarray(a).astype(np.float32) for a in arrays]


def unary(x):
    d = x.astype(np.float64)
    names = ["negative", "absolute", "signs", "floors", "ceilings", "rounded", "sines", "cosines", "hyperbolic", "errors", "exps", "expm1s"]
    functions = [np.negative, np.abs, np.sign, np.floor, np.ceil, np.rint, np.sin, np.cos, np.tanh, erf, np.exp, np.expm1]
    return dict(zip(names, f32(*(f(d) for f in functions))))


def floor_divide(x, y):
    return np.floor_divide(x, y), np.mod(x, y)   # both towards minus infinity, as the language has them


def cases():
    random = np.random.default_rng(1)
    with np.errstate(all="ignore"):
        for n in 1, 2, 7, 16, 33, 300:
            yield Case("unary", {"x": (x := random.normal(0, 4, n).astype(np.float32))}, unary(x))
        yield Case("unary", {"x": SPECIAL}, unary(SPECIAL))
        yield Case("unary", {"x": (x := np.linspace(-100, 88, 300, dtype=np.float32))}, unary(x))

        for shape in (1, 1), (3, 5), (20, 20), (1, 17):
            x = random.random(shape).astype(np.float32) * 10
            x.flat[0] = 1e-30
            d = x.astype(np.float64)
            yield Case("positive", {"x": x}, dict(zip(["logs", "log1ps", "roots", "inverse_roots"],
                                                      f32(np.log(d), np.log1p(d), np.sqrt(d), 1 / np.sqrt(d)))))
        x = np.array([[0, 1, np.inf, np.nan, -1, 1.2e-38]], np.float32)   # log takes a denormal for the smallest normal
        d = x.astype(np.float64)
        yield Case("positive", {"x": x}, dict(zip(["logs", "log1ps", "roots", "inverse_roots"],
                                                  f32(np.log(d), np.log1p(d), np.sqrt(d), 1 / np.sqrt(d)))))

        for n in 1, 5, 50:
            x = random.random(n) * 20 + 1e-3
            yield Case("doubles", {"x": x}, {"exps": np.exp(x), "logs": np.log(x), "hyperbolic": np.tanh(x), "errors": erf(x),
                                             "roots": np.sqrt(x)}, within=1e-13)

        for shape in (1, 1, 1), (2, 3, 5), (8, 9, 40), (7, 1, 33):
            x, y = f32(random.normal(size=shape), random.normal(size=shape))
            yield Case("binary", {"x": x, "y": y}, {"added": x + y, "subtracted": x - y, "multiplied": x * y, "divided": x / y,
                                                    "smaller": np.minimum(x, y), "larger": np.maximum(x, y)})
        x, y = (a.reshape(2, 9, 18) for a in np.broadcast_arrays(SPECIAL[None], SPECIAL[:, None]) for a in [a.copy()])
        yield Case("binary", {"x": x, "y": y}, {"added": x + y, "subtracted": x - y, "multiplied": x * y, "divided": x / y,
                                                "smaller": np.minimum(x, y), "larger": np.maximum(x, y)})

        for n in 1, 11, 64:
            x = (random.random(n) * 6 - 3).astype(np.float32)
            d = x.astype(np.float64)
            yield Case("powers", {"x": x}, dict(zip(["square", "cube", "half", "any_power"],
                                                    f32(d**2, d**3, np.abs(d)**0.5, np.abs(d)**d))))

        for dtype, entry in (np.int32, "integers"), (np.int64, "longs"):
            for n in 1, 9, 64:
                x = random.integers(-1000, 1000, n).astype(dtype)
                y = random.integers(1, 30, n).astype(dtype) * np.where(random.random(n) < 0.5, -1, 1).astype(dtype)
                q, r = floor_divide(x, y)
                results = {"divided": q, "remainder": r, "multiplied": x * y}
                if entry == "integers":
                    results |= {"added": x + y, "smaller": np.minimum(x, y), "larger": np.maximum(x, y),
                                "quotient": (x.astype(np.float32) / y.astype(np.float32)), "absolute": np.abs(x)}
                yield Case(entry, {"x": x, "y": y}, results)

        for x, y in [f32(random.integers(-2, 3, 64), random.integers(-2, 3, 64)), (SPECIAL, SPECIAL[::-1].copy()), (SPECIAL, SPECIAL)]:
            yield Case("comparisons", {"x": x, "y": y}, {"less": x < y, "less_equal": x <= y, "greater": x > y,
                                                         "greater_equal": x >= y, "equal": x == y, "unequal": x != y})
        for n in 4, 31:
            p, q = random.random(n) < 0.5, random.random(n) < 0.5
            yield Case("logic", {"p": p, "q": q}, {"both": p & q, "either": p | q, "one": p ^ q, "neither": ~(p | q)})

        x = np.array([0, 0.9, -0.9, 1.5, -1.5, 2.5, 1e6, -1e6, 16777216], np.float32)
        yield Case("conversions", {"x": x}, {"ints": x.astype(np.int32), "longs": x.astype(np.int64), "doubles": x.astype(np.float64),
                                             "back": np.trunc(x)})
        x, y = np.array([0, 1, 127, 128, 255], np.uint8), np.array([0, -1, 127, -128, 5], np.int8)
        yield Case("bytes", {"x": x, "y": y}, {"floats": x.astype(np.float32), "ints": x.astype(np.int32), "negatives": y.astype(np.int32),
                                               "mixed": x.astype(np.float32) - y.astype(np.float32)})

        for x in np.array([-5, -1, -0.5, 0, 0.5, 1, 5], np.float32), random.normal(size=64).astype(np.float32):
            d = x.astype(np.float64)
            yield Case("choices", {"x": x}, {"guarded": np.where(x > 0, np.log(d), 0).astype(np.float32),
                                             "chosen": np.where(x == 0, 0, 1 / d).astype(np.float32), "nested": np.clip(x, -1, 1)})

        for a, b, c in (1, 1, 1), (2, 3, 4), (4, 5, 20):
            x, row, plane = f32(random.normal(size=(a, b, c)), random.normal(size=c), random.normal(size=(b, c)))
            scalar = np.float32(1.25)
            yield Case("tails", {"x": x, "row": row, "plane": plane, "scalar": np.array(scalar)},
                       {"rows": x + row, "planes": x * plane, "scaled": scalar * x - np.float32(1)})
        yield Case("scalars", {"x": np.array(0.5, np.float32), "k": np.array(-7, np.int32)},
                   {"y": np.array(np.exp(0.5) + 1, np.float32), "j": np.array(-22, np.int32)})
        yield Case("tails", {"x": np.zeros((2, 3, 4), np.float32), "row": np.zeros(5, np.float32), "plane": np.zeros((3, 4), np.float32),
                             "scalar": np.array(1, np.float32)}, refusal="row")
        yield Case("unary", {"x": np.zeros(301, np.float32)}, refusal="n <= 300")
