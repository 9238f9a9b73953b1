"""Runs a built digit program on the 360 held-back images and compares it with the oracle, PyTorch with the same weights.

    python check.py PROGRAM NETWORK        NETWORK: mlp or lenet

Prints the accuracy of both. Fails unless every image gets the oracle's class and every score is within 1e-4 of it.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

import digits

HERE = digits.HERE
WITHIN = 1e-4


def answers(program, network, images):
    """Class, probabilities and scores of each image, from the program's own entries."""
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "images.npy")
        np.save(source, images)
        for entry in "predict", "logits":
            subprocess.run([program, entry, f"image={source}", "--weights", os.path.join(HERE, f"{network}.safetensors"),
                            "--out", folder], check=True, stdout=subprocess.DEVNULL)
        return [np.load(os.path.join(folder, f"{name}.npy")) for name in ("label", "prob", "result")]


def check(program, network):
    """The line to print; raises AssertionError where program and oracle differ."""
    images, labels = digits.load()
    _, test = digits.split(labels)
    label, prob, logits = answers(program, network, images[test])
    oracle_label = np.load(os.path.join(HERE, "expected", f"{network}_label.npy"))
    oracle_logits = np.load(os.path.join(HERE, "expected", f"{network}_logits.npy"))
    different = np.flatnonzero(label != oracle_label)
    assert not len(different), f"{network}: {len(different)} images get another class than the oracle's, first row {test[different[0]]}"
    error = np.abs(logits - oracle_logits).max()
    assert error <= WITHIN, f"{network}: a score differs from the oracle's by {error:.2g}"
    shifted = np.exp(oracle_logits - oracle_logits.max(1, keepdims=True))
    assert np.abs(prob - shifted / shifted.sum(1, keepdims=True)).max() <= WITHIN, f"{network}: probabilities differ"

    def accuracy(guess):
        right = int((guess == labels[test]).sum())
        return f"{right} of {len(test)} right ({100 * right / len(test):.2f} %)"

    return (f"{network:5}  {accuracy(label)}; oracle {accuracy(oracle_label)}; "
            f"same class on all {len(test)}, scores within {error:.1e}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        print(check(sys.argv[1], sys.argv[2]))
    except (AssertionError, subprocess.CalledProcessError) as problem:
        sys.exit(f"check.py: {problem}")
