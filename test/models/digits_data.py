"""The digits are the bytes that their page names, and the committed split is the one that its seed draws."""
import hashlib
import os
import sys

import numpy as np

folder = sys.argv[1]
sys.path.insert(0, folder)
import digits  # noqa: E402

with open(os.path.join(folder, "data", "digits.csv.gz"), "rb") as f:
    digest = hashlib.sha256(f.read()).hexdigest()
with open(os.path.join(folder, "data", "README.md")) as f:
    assert digest in f.read(), f"data/README.md does not name {digest}"
images, labels = digits.load()
train, test = digits.split(labels)
assert images.shape == (1797, 8, 8, 1) and images.min() == 0 and images.max() == 16
assert np.array_equal(test, digits.stratify(labels)), "test_indices.npy is not what the seed draws"
assert len(train) == 1437 and len(test) == 360 and not set(train) & set(test)
share = np.bincount(labels[test]) / np.bincount(labels)
assert share.max() - share.min() < 0.01, f"not stratified: {share}"
for digit, row in digits.pictured().items():
    assert labels[row] == digit and row in test
print("the digits are as described")
