"""What scikit-learn says of guesses and predictions: writes goldens/metrics*.

    pip install scikit-learn==1.9.1 && python make_metrics.py
"""
import json
import os

import numpy as np
from sklearn import metrics as m

HERE = os.path.dirname(os.path.abspath(__file__))


def sets():
    """Labels and guesses: the shipped digit networks on their held-back images, then random ones, some without a class."""
    folder = os.path.join(HERE, "..", "..", "examples", "02_digits")
    table = np.loadtxt(os.path.join(folder, "data", "digits.csv.gz"), delimiter=",", dtype=np.int32)
    label = table[np.load(os.path.join(folder, "data", "test_indices.npy")), 64]
    for name in "mlp", "lenet":
        yield label, np.load(os.path.join(folder, "expected", f"{name}_label.npy"))
    random = np.random.default_rng(5)
    yield random.integers(0, 10, 200), random.integers(0, 10, 200)
    yield random.integers(0, 4, 50), random.integers(2, 8, 50)
    yield np.array([3]), np.array([3])


def counted():
    """200 rows of ten logits, which the trainer counts in batches."""
    random = np.random.default_rng(9)
    label = random.integers(0, 10, 200)
    z = random.normal(size=(200, 10)).astype(np.float32)
    z[np.arange(200), label] += random.random(200) < 0.6
    z[:, 2] = (0.5 * z[:, 2] + label / 10).astype(np.float32)
    np.save(os.path.join(HERE, "goldens", "metrics_z.npy"), z)
    np.save(os.path.join(HERE, "goldens", "metrics_label.npy"), label.astype(np.int32))
    y, t = z[:, 2].astype(np.float64), label / 10
    said = {"top3": m.top_k_accuracy_score(label, z, k=3, labels=range(10)), "mean": float(z[:, 1].mean(dtype=np.float64)),
            "binary": m.accuracy_score(label > 4, z[:, 0] > 0), "mse": m.mean_squared_error(t, y),
            "rmse": m.root_mean_squared_error(t, y), "mae": m.mean_absolute_error(t, y), "determination": m.r2_score(t, y)}
    return {"said": said, **scores(label, z.argmax(1))}


def scores(label, guess):
    each = dict(labels=range(10), average=None, zero_division=0)
    macro = dict(average="macro", zero_division=0)   # over the classes that occur or are guessed
    return {"label": label.tolist(), "guess": guess.tolist(), "scores": {
        "accuracy": m.accuracy_score(label, guess), "precision": m.precision_score(label, guess, **macro),
        "recall": m.recall_score(label, guess, **macro), "f1": m.f1_score(label, guess, **macro),
        "micro_f1": m.f1_score(label, guess, average="micro"),
        "class_precision": m.precision_score(label, guess, **each).tolist(),
        "class_recall": m.recall_score(label, guess, **each).tolist(), "class_f1": m.f1_score(label, guess, **each).tolist(),
        "confusion": m.confusion_matrix(label, guess, labels=range(10)).tolist()}}


def main():
    out = [scores(label, guess) for label, guess in sets()] + [counted()]
    with open(os.path.join(HERE, "goldens", "metrics.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, separators=(",", ":"))


if __name__ == "__main__":
    main()
