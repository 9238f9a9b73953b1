"""Builds the program that README.md shows, as it stands there, compares its answers with the oracle's, and trains it anew.

    python readme.py NACRE SOURCE-TREE FOLDER
"""
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np

nacre, source, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
digits_folder = os.path.join(source, "examples", "02_digits")
sys.path.insert(0, digits_folder)
import digits  # noqa: E402

with open(os.path.join(source, "README.md"), encoding="utf-8") as f:
    page = f.read()
program, training = (re.search(rf"^```\n({start} .*?)^```$", page, re.DOTALL | re.MULTILINE).group(1) for start in ("module", "data"))
model = os.path.join(folder, "digits.nacre")
with open(model, "w", encoding="utf-8") as f:
    f.write(program + training)
shutil.copy(os.path.join(digits_folder, "mlp.safetensors"), folder)
images, labels = digits.load()
np.save(os.path.join(folder, "image.npy"), images[digits.split(labels)[1]])
subprocess.run([nacre, "build", model, "-o", os.path.join(folder, "digits")], check=True)
subprocess.run([os.path.join(folder, "digits"), "predict", f"image={folder}/image.npy", "--weights", f"{folder}/mlp.safetensors",
                "--out", folder], check=True)
logits = np.load(os.path.join(digits_folder, "expected", "mlp_logits.npy")).astype(np.float64)
expected = np.exp(logits - logits.max(1, keepdims=True))
expected /= expected.sum(1, keepdims=True)
error = np.abs(np.load(os.path.join(folder, "result.npy")) - expected).max()
print(f"README.md: {len(logits)} images, error {error:.1e}")
assert error < 1e-5 and program.count("\n") <= 14 and training.count("\n") <= 14
trained = subprocess.run([os.path.join(folder, "digits"), "train", "fit", "--fresh", "--epochs", "10", "--quiet", "--json", "--out",
                          f"{folder}/new.safetensors", "--data-dir", os.path.join(digits_folder, "data")],
                         check=True, stdout=subprocess.PIPE, text=True)
accuracy = json.loads(trained.stdout)["validate.accuracy"]
print(f"README.md: trained for 10 epochs, {accuracy:.3f} right")
assert accuracy > 0.9
