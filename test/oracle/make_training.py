"""What PyTorch makes of the blocks of Inputs/training.nacre in ten steps: writes goldens/training*.

    pip install -r requirements.txt && python make_training.py

Step 0 of a block are its first weights. The samples are those of the optimisers.
"""
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import make
import safetensors
from make import array, draw
from make_large import Block

SAMPLES, STEPS = 24, 10


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.bn, self.fc2 = nn.Linear(7, 5), nn.BatchNorm1d(5, momentum=0.2), nn.Linear(5, 3)

    def forward(self, x):
        return self.fc2(torch.tanh(self.bn(self.fc1(x))))


class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.block, self.fc = Block(4, 6, 2, False), nn.Linear(24, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x.permute(0, 3, 1, 2)))), 2)
        return self.fc(self.block(x).flatten(1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.input, self.hidden = nn.Parameter(torch.empty(6)), nn.Parameter(torch.empty(6, 6))
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        h = torch.zeros(len(x), 6)
        for s in range(x.shape[1]):
            h = torch.tanh(x[:, s, None] * self.input + h @ self.hidden.T)
        return self.fc(h)


def follow(tensors, name, module, x, label, optimizer, clip=None):
    module = make.settle(module).train()
    optimizer = optimizer(module.parameters())
    for step in range(STEPS + 1):
        tensors.update({f"{name}.{step}.{key}": array(value) for key, value in module.state_dict().items()
                        if not key.endswith("num_batches_tracked")})
        optimizer.zero_grad()
        F.cross_entropy(module(x), label).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(module.parameters(), clip)
        optimizer.step()


def contrast(tensors, name, v):
    """Contrastive divergence with hidden units so sure of themselves that a draw of them is a rounding."""
    random = np.random.default_rng(12)
    weight = torch.from_numpy(30.0 * random.integers(-1, 2, (4, 6)))
    bias, visible = torch.from_numpy(15.0 * random.choice((-1, 1), 4)), draw(6).detach()
    for step in range(STEPS + 1):
        tensors.update({f"{name}.{step}.{key}": array(value) for key, value in
                        {"weight": weight, "bias": bias, "visible": visible}.items()})
        h0 = torch.sigmoid(v @ weight.T + bias)
        bits = h0.round()
        assert (h0 - bits).abs().max() < 1e-5, "a draw could fall otherwise"
        v1 = torch.sigmoid(bits @ weight + visible)
        assert ((v1 > 0.1) & (v1 < 0.9)).double().mean() > 0.2, "a dream that is certain tests little"
        h1 = torch.sigmoid(v1 @ weight.T + bias)
        weight = weight + 0.25 * (h0.T @ v - h1.T @ v1) / len(v)
        bias, visible = bias + 0.25 * (h0 - h1).mean(0), visible + 0.25 * (v - v1).mean(0)


def main():
    make._random = np.random.default_rng(3)
    x = torch.from_numpy(np.load(os.path.join(make.OUT, "optimizers_x.npy"))).double()
    label = torch.from_numpy(np.load(os.path.join(make.OUT, "optimizers_label.npy"))).long()
    images = draw(SAMPLES, 6, 7, 2).detach()
    bits = make.whole(0, 2, SAMPLES, 6).double()
    tensors = {}
    follow(tensors, "normed", Rows(), x, label, lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.9))
    follow(tensors, "convolved", Pictures(), images, label, lambda p: torch.optim.SGD(p, lr=0.02))
    contrast(tensors, "contrasted", bits)
    sequences = images.reshape(SAMPLES, 84)[:, torch.arange(300) % 84]
    follow(tensors, "recurred", Recurrent(), sequences, label, lambda p: torch.optim.SGD(p, lr=0.1), clip=1.0)
    safetensors.save(os.path.join(make.OUT, "training.safetensors"), tensors)
    np.save(os.path.join(make.OUT, "training_x.npy"), array(images))
    np.save(os.path.join(make.OUT, "training_bits.npy"), array(bits))


if __name__ == "__main__":
    main()
