"""Runs the entry `logits` at several batch sizes and thread counts; every image must get the same bits each time.

    python digits_batches.py PROGRAM WEIGHTS FOLDER
"""
import os
import subprocess
import sys

import numpy as np

program, weights, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
images = np.random.default_rng(3).integers(0, 17, (1024, 8, 8, 1)).astype(np.float32)


def run(rows, threads):
    np.save(os.path.join(folder, "image.npy"), rows)
    return subprocess.run([program, "logits", f"image={folder}/image.npy", "--weights", weights, "--out", folder, "--threads", str(threads)],
                          capture_output=True, text=True)


def scores(rows, threads):
    done = run(rows, threads)
    assert done.returncode == 0, done.stderr
    return np.load(os.path.join(folder, "result.npy"))


whole = scores(images, 1)
for count in 1, 2, 7, 64, 360, 1024:
    for threads in 1, 2:
        part = scores(images[:count], threads)
        assert part.shape == (count, 10)
        # A batch of one may take another kernel than a batch of many, so between batches only the last bits may differ ...
        assert np.allclose(part, whole[:count], rtol=1e-5, atol=1e-5), f"batch {count}, {threads} threads"
        # ... but never between thread counts.
        assert np.array_equal(part, scores(images[:count], 1)), f"{threads} threads change batch {count}"
for count in 0, 1025:
    refused = run(np.zeros((count, 8, 8, 1), np.float32), 1)
    assert refused.returncode > 0 and "n" in refused.stderr, f"a batch of {count} was not refused: {refused.stderr}"
refused = run(np.zeros((2, 8, 9, 1), np.float32), 1)
assert refused.returncode > 0 and "image" in refused.stderr, f"images of 8 x 9 were not refused: {refused.stderr}"
print("batches agree")
