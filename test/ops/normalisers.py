import numpy as np
import oracle
from check import Case

_random = np.random.default_rng(6)
WEIGHTS = {name: (_random.random(37) + 0.5).astype(np.float32) for name in
           ("layer.weight", "layer.bias", "batch.weight", "batch.bias", "batch.running_mean", "batch.running_var")}


def cases():
    random = np.random.default_rng(7)

    def draw(*shape, scale=1.0):
        return (scale * random.normal(size=shape)).astype(np.float32)

    def family(x):
        return {"soft": oracle.softmax(x).astype(np.float32), "logs": oracle.log_softmax(x).astype(np.float32)}

    for n in 1, 2, 16, 17, 300:
        yield Case("rank1", {"x": (x := draw(n, scale=5))}, family(x))
    for m, n in (1, 1), (3, 10), (7, 33), (70, 200), (5, 1):
        yield Case("rank2", {"x": (x := draw(m, n, scale=5))}, family(x))
    yield Case("rank2", {"x": (x := np.array([[1000, 999, -1000], [-1e30, 0, 1e30], [88, 89, 90]], np.float32))}, family(x))
    for l, m, n in (1, 1, 1), (5, 7, 40), (2, 3, 9):
        yield Case("rank3", {"x": (x := draw(l, m, n))}, family(x))
    for k, l, m, n in (1, 1, 1, 1), (3, 4, 9, 40), (2, 2, 5, 7):
        yield Case("rank4", {"x": (x := draw(k, l, m, n))}, {"result": oracle.softmax(x).astype(np.float32)})
    for m, n in (2, 3), (20, 35):
        x = draw(m, n)
        x[random.random((m, n)) < 0.5] = -np.inf
        x[0] = -np.inf
        yield Case("masked", {"x": x}, {"result": oracle.softmax(x).astype(np.float32)})
    for t, s, d, e in (1, 1, 1, 1), (5, 9, 3, 7), (20, 40, 16, 20):
        q, k, v = draw(t, d), draw(s, d), draw(s, e)
        p = oracle.softmax(q.astype(np.float64) @ k.T.astype(np.float64) / np.sqrt(d))
        yield Case("attended", {"q": q, "k": k, "v": v}, {"result": (p @ v).astype(np.float32)})
    w = WEIGHTS
    for n in 1, 3, 50:
        x = draw(n, 37)
        yield Case("normalised", {"x": x}, {
            "layer_norm": oracle.layer_norm(x, w["layer.weight"], w["layer.bias"]).astype(np.float32),
            "batch_norm": oracle.batch_norm(x, w["batch.weight"], w["batch.bias"], w["batch.running_mean"], w["batch.running_var"],
                                            1e-3).astype(np.float32)})
    for n, k in (1, 2), (9, 10), (60, 30):
        z, label = draw(n, k, scale=3), random.integers(0, k, n).astype(np.int32)
        logs = oracle.log_softmax(z)
        plain = -logs[np.arange(n), label].mean()
        yield Case("losses", {"z": z, "label": label}, {"plain": np.array(plain, np.float32),
                                                        "smoothed": np.array(0.9 * plain - 0.1 * logs.mean(), np.float32)})
    for x in np.linspace(-20, 20, 300, dtype=np.float32), draw(9, scale=100):
        d = x.astype(np.float64)
        with np.errstate(over="ignore"):
            yield Case("activations", {"x": x}, {k: v.astype(np.float32) for k, v in {
                "relus": np.maximum(d, 0), "sigmoids": 1 / (1 + np.exp(-d)), "gelus": oracle.gelu(d), "silus": d / (1 + np.exp(-d)),
                "softpluses": np.logaddexp(0, d), "elus": np.where(d > 0, d, np.expm1(np.minimum(d, 0)))}.items()})
