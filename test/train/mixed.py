"""Trains with `precision: mixed(bf16)`, optimised and plain: the same losses up to the order of sums, and others than in f32.

    python mixed.py NACRE FOLDER
"""
import os
import re
import subprocess
import sys

import numpy as np

SOURCE = """module mixed
import std

layer Net(x: real[n, 75]) -> real[n, 10] = x |> a: Linear[96] |> relu |> b: Linear[10]

model net = Net[] { }

data samples -> (x: real[75], label: i32) {
  source: npy(x = "x.npy", label = "label.npy", classes = 10)
  map(x: real[75], label: i32): (x = x, label = label)
}

train fit on net {
  data: samples
  batch: 48
  epochs: 3
  seed: 1
  PRECISION
  loss(r): cross_entropy(net(r.x), r.label)
  optimizer: SGD[lr = constant[0.5]]
}
"""
nacre, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
random = np.random.default_rng(2)
x = random.normal(size=(480, 75)).astype(np.float32)
np.save(os.path.join(folder, "x.npy"), x)
np.save(os.path.join(folder, "label.npy"), (np.abs(x[:, :5]).sum(1) * 3).astype(np.int32) % 10)


def loss(precision, *flags):
    with open(os.path.join(folder, "mixed.nacre"), "w") as f:
        f.write(SOURCE.replace("PRECISION", precision))
    run = subprocess.run([nacre, "train", *flags, "mixed.nacre"], cwd=folder, capture_output=True, text=True)
    found = re.findall(r"^loss +(\S+)", run.stdout, flags=re.M)
    assert run.returncode == 0 and found, run.stdout + run.stderr
    return float(found[-1])


half = "precision: mixed(bf16)"
fast, plain, single = loss(half), loss(half, "--reference"), loss("")
print(f"mixed {fast}, mixed and plain {plain}, f32 {single}")
assert abs(fast - plain) < 2e-3 and abs(fast - single) < 5e-2 and plain != single
