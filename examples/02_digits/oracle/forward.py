"""What PyTorch answers with the shipped weights on the 360 held-back images: writes ../expected/.

    pip install -r requirements.txt && python forward.py

The weights come from ../../03_train_digits; PyTorch only repeats the forward pass, in f64.
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(HERE)
sys.path.insert(0, HOME)
import digits  # noqa: E402


def mlp(x, w):   # [n, 1, 8, 8] to [n, 10]
    x = (x / 16).flatten(1)
    x = F.relu(F.linear(x, w["fc1.weight"], w["fc1.bias"]))
    x = F.relu(F.linear(x, w["fc2.weight"], w["fc2.bias"]))
    return F.linear(x, w["fc3.weight"], w["fc3.bias"])


def lenet(x, w):
    x = x / 16
    for i in 1, 2:
        x = F.conv2d(x, w[f"conv{i}.weight"], w[f"conv{i}.bias"], padding=1)
        x = F.batch_norm(x, w[f"bn{i}.running_mean"], w[f"bn{i}.running_var"], w[f"bn{i}.weight"], w[f"bn{i}.bias"])
        x = F.max_pool2d(F.relu(x), 2)
    x = F.relu(F.linear(x.flatten(1), w["fc1.weight"], w["fc1.bias"]))
    return F.linear(x, w["fc2.weight"], w["fc2.bias"])


def main():
    images, labels = digits.load()
    _, test = digits.split(labels)
    x = torch.from_numpy(images[test].transpose(0, 3, 1, 2).copy()).double()
    for name, network in {"mlp": mlp, "lenet": lenet}.items():
        weights = {key: value.double() for key, value in load_file(os.path.join(HOME, f"{name}.safetensors")).items()}
        logits = network(x, weights).float().numpy()
        guess = logits.argmax(1).astype(np.int32)
        np.save(os.path.join(HOME, "expected", f"{name}_logits.npy"), logits)
        np.save(os.path.join(HOME, "expected", f"{name}_label.npy"), guess)
        print(f"{name}: {int((guess == labels[test]).sum())} of {len(test)} right")


if __name__ == "__main__":
    main()
