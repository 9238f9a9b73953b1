"""Metrics of an evaluation in batches of seven against NumPy: metrics.py NACRE FOLDER. The definitions are scikit-learn's
mean_squared_error, root_mean_squared_error, mean_absolute_error, r2_score, top_k_accuracy_score, accuracy_score."""
import json
import os
import struct
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def write_weights(path):
    header = json.dumps({"one": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + struct.pack("<f", 1.0))


def main(nacre, folder):
    random = np.random.default_rng(11)
    n, k = 45, 5    # six batches and three samples
    score, label = np.round(random.normal(size=(n, k)), 3), random.integers(0, k, n)
    t = np.round(random.normal(size=n), 3)
    y = np.round(t + 0.4 * random.normal(size=n), 3)
    np.savetxt(os.path.join(folder, "answers.csv"), np.column_stack([score, label, y, t]), delimiter=",", fmt="%.3f")
    write_weights(os.path.join(folder, "one.safetensors"))
    done = subprocess.run([nacre, "eval", os.path.join(HERE, "Inputs", "metrics.nacre"), "fit", "--data-dir", folder, "--weights",
                           os.path.join(folder, "one.safetensors"), "--json"], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)

    rank = (-score).argsort(axis=1)
    shifted = score - score.max(axis=1, keepdims=True)
    want = {"loss": (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(n), label]).mean(),
            "accuracy": (rank[:, 0] == label).mean(), "mse": ((y - t) ** 2).mean(), "root": np.sqrt(((y - t) ** 2).mean()),
            "mae": np.abs(y - t).mean(), "explained": 1 - ((y - t) ** 2).sum() / ((t - t.mean()) ** 2).sum(),
            "sign": ((y > 0) == (t > 0)).mean(), "mean_loss": np.abs(y - t).mean(), "missed": (rank[:, 0] != label).mean(),
            "worst": np.abs(y - t).max()}
    for top in 1, 2, 3:
        want[f"top{top}"] = (rank[:, :top] == label[:, None]).any(axis=1).mean()
    for name, value in want.items():
        assert abs(got["validate." + name] - value) <= 2e-6 * max(1, abs(value)), (name, got["validate." + name], value)
    assert want["top1"] < want["top2"] < want["top3"] < 1
    print(f"{len(want)} values equal NumPy's")


main(*sys.argv[1:])
