"""Each setting of a train block against the same steps in NumPy, f64 there and f32 here: gradients, clips, penalties,
accumulation, frozen weights, an optimiser per path, steps written out.

A batch is the whole file, so the order in which samples come does not matter, and every parameter can be followed by hand:
mse of a linear model, three inputs, two outputs.

    python settings.py NACRE FOLDER
"""
import json
import os
import struct
import subprocess
import sys

import numpy as np

SAMPLES, STEPS = 32, 6

PROGRAM = '''
import std
fn tilted(w: real[k, d]) -> real[k, d] {
  let y[i < k, j < d] = 0.1 * (j + 1) - 0.2 * i
  return y
}
layer Line(x: real[n, 3]) -> real[n, 2] {
  param weight: real[2, 3] = tilted()
  param bias: real[2] = 0.5
  state seen: real = 0
  if training { seen <- seen + n }
  let y[s, i] = sum[j](weight[i, j] * x[s, j]) + bias[i]
  return y
}
layer Plain[lr: fn(i32) -> real](p: real[...], g: real[...], t: i32) -> real[...] = p - lr(t) * g
layer Heavy[lr: fn(i32) -> real](p: real[...], g: real[...], t: i32) -> real[...] {
  state v: real[...] = 0
  v <- 0.9 * v + g
  return p - lr(t) * v
}
fn falling(t: i32) -> real = 0.2 / real(t)
fn steady[rate: real](t: i32) -> real = rate
fn clipped(g: weights, bound: real) -> weights = g * min(1, bound / sqrt(sum(g^2)))

data points -> (x: real[3], y: real[2]) {
  source: csv("points.csv", header = false)
  map(row: real[5]): (x = row[0..3], y = row[3..5])
}
model net = Line[] { FREEZE }

train fit on net {
  data: points
  validate: points
  batch: BATCH
  steps: 6
  SETTINGS
}
'''
LOSS = "loss(r): mse(net(r.x), r.y)\n  "


def load(path):
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    begin = {k: 8 + size + v["data_offsets"][0] for k, v in header.items()}
    return {k: np.frombuffer(data, "<f4", int(np.prod(v["shape"])), begin[k]).reshape(v["shape"]).astype(float)
            for k, v in header.items()}


def points():
    random = np.random.default_rng(5)
    x = random.normal(size=(SAMPLES, 3))
    y = x @ random.normal(size=(3, 2)) + 3.0 + 0.1 * random.normal(size=(SAMPLES, 2))
    return np.round(x, 3), np.round(y, 3)


def follow(change, x, y):
    """The parameters after STEPS steps of `change(p, g, t, memory)`."""
    p = {"weight": 0.1 * np.arange(1, 4)[None, :] - 0.2 * np.arange(2)[:, None], "bias": np.full(2, 0.5)}
    memory = {}
    for t in range(1, STEPS + 1):
        error = (x @ p["weight"].T + p["bias"] - y) * 2 / y.size
        g = {"weight": error.T @ x, "bias": error.sum(0)}
        p = change(dict(p), g, t, memory)
    return p


def norm(g):
    return np.sqrt(sum((v ** 2).sum() for v in g.values()))


def plain(p, g, t, memory, rate=0.2):
    return {k: p[k] - rate * g[k] for k in p}


def scaled(bound, tiny):
    return lambda p, g, t, m: plain(p, {k: v * min(1, bound / (norm(g) + tiny)) for k, v in g.items()}, t, m)


def heavy(p, g, t, memory):
    for k in p:
        memory[k] = 0.9 * memory.get(k, 0) + g[k]
        p[k] = p[k] - 0.1 * memory[k]
    return p


def moving(p, g, t, memory):  # momentum on the bias, a falling rate on the weight
    memory["bias"] = 0.9 * memory.get("bias", 0) + g["bias"]
    return {"weight": p["weight"] - 0.2 / t * g["weight"], "bias": p["bias"] - 0.1 * memory["bias"]}


P = "optimizer: Plain[lr = steady[0.2]]"
CASES = {
    "plain": (LOSS + P, plain),
    "schedule": (LOSS + "optimizer: Plain[lr = falling]", lambda p, g, t, m: plain(p, g, t, m, 0.2 / t)),
    "state": (LOSS + "optimizer: Heavy[lr = steady[0.1]]", heavy),
    "by path": (LOSS + 'optimizer: by_path(("bias", Heavy[lr = steady[0.1]]), ("**", Plain[lr = falling]))', moving),
    "clip by norm": (LOSS + P + "\n  clip: global_norm(0.5)", scaled(0.5, 1e-6)),
    "clip by value": (LOSS + P + "\n  clip: value(0.3)",
                      lambda p, g, t, m: plain(p, {k: v.clip(-0.3, 0.3) for k, v in g.items()}, t, m)),
    "penalties": (LOSS + P + '\n  regularise: l2(0.1, except = "bias")\n  regularise: l1(0.05, only = ["weight"])',
                  lambda p, g, t, m: plain(p, {"weight": g["weight"] + 0.1 * p["weight"] + 0.05 * np.sign(p["weight"]),
                                               "bias": g["bias"]}, t, m)),
    "accumulated": (LOSS + P + "\n  accumulate: 2\n  clip: global_norm(0.5)", scaled(0.5, 1e-6)),
    "frozen": (LOSS + P, lambda p, g, t, m: {"weight": p["weight"] - 0.2 * g["weight"], "bias": p["bias"]}),
    "minimised": (P + "\n  step(r) { let e = mse(net(r.x), r.y)  minimise(e, net)  return (loss = e) }", plain),
    "updated": (P + "\n  step(r) { let e = mse(net(r.x), r.y)  update(net, clipped(grad(e, net), 0.5))  return (loss = e) }",
                scaled(0.5, 0)),
    "written": ("step(r) { let e = mse(net(r.x), r.y)\n net <- weights(net) - 0.2 * grad(e, net)\n return (loss = e) }", plain),
    "every other": (P + "\n  step(r) { let e = mse(net(r.x), r.y)\n if iteration % 2 == 0 { minimise(e, net) }\n return (loss = e) }",
                    lambda p, g, t, m: plain(p, g, t, m) if t % 2 else p),
    "begun": (LOSS + P + "\n  begin {\n    for (path, w) in named(net) { if matches(path, \"bia*\") { net[path] <- 0 * w + 0.5 } }\n  }",
              plain),
    "shared": ("shared: points\n  loss(r, g): mse(net(g.x), g.y) + 0 * sum(r.x)\n  " + P, plain),
    "two shared": ("shared: [points, points]\n  loss(r, g, h): mse(net(h.x), h.y) + 0 * sum(r.x) * sum(g.x)\n  " + P, plain),
    "shared alone": (P + "\n  step(g) { let e = mse(net(g.x), g.y)  minimise(e, net)  return (loss = e) }", plain),
}


def main(nacre, folder):
    os.makedirs(folder, exist_ok=True)
    x, y = points()
    np.savetxt(os.path.join(folder, "points.csv"), np.hstack([x, y]), delimiter=",", fmt="%.3f")
    failures = 0
    for name, (settings, change) in CASES.items():
        path = os.path.join(folder, name.replace(" ", "_") + ".nacre")
        out = path.replace(".nacre", ".safetensors")
        text = PROGRAM.replace("SETTINGS", settings).replace("FREEZE", 'freeze "bias"' if name == "frozen" else "")
        if name == "shared alone":
            text = text.replace("data: points\n  validate: points\n  batch: BATCH", "shared: points")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("BATCH", "16" if "accumulate" in settings else "32"))
        run = subprocess.run([nacre, "train", path, "--out", out, "--quiet"], capture_output=True, text=True)
        if run.returncode:
            print(f"{name}: {run.stdout}{run.stderr}")
            failures += 1
            continue
        got, wanted = load(out), follow(change, x, y)
        wanted["seen"] = np.array(float(STEPS * SAMPLES))  # in training only, whatever an evaluation sees
        worst = max(np.abs(got[k] - wanted[k]).max() / np.abs(wanted[k]).max() for k in wanted)
        if worst > 1e-5:
            failures += 1
        print(f"{name}: {worst:.1e}{'' if worst <= 1e-5 else '  TOO FAR'}")
    print(f"{len(CASES)} cases, {failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
