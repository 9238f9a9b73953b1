"""What PyTorch says of Inputs/models.nacre: writes goldens/models.safetensors and models_weights.json (names and shapes).

    pip install -r requirements.txt && python make_models.py

The networks are written out here, from the papers; weights come from formula.py, here and in the test.
"""
import json
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import formula
import make
from make import draw, first
from make_large import Resnet


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(7, 9), nn.Linear(9, 9), nn.Linear(9, 4)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Lenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16)
        self.fc1, self.fc2, self.fc3 = nn.Linear(16, 120), nn.Linear(120, 84), nn.Linear(84, 5)

    def forward(self, x):
        for conv, bn in (self.conv1, self.bn1), (self.conv2, self.bn2):
            x = F.max_pool2d(F.relu(bn(conv(x))), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class Machine(nn.Module):
    def __init__(self, visible, hidden):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(hidden, visible))
        self.bias, self.visible = nn.Parameter(torch.empty(hidden)), nn.Parameter(torch.empty(visible))

    def up(self, v):
        return torch.sigmoid(F.linear(v, self.weight, self.bias))

    def down(self, h):
        return torch.sigmoid(F.linear(h, self.weight.T, self.visible))


class Belief(nn.Module):
    def __init__(self):
        super().__init__()
        self.rbm, self.head = nn.ModuleList([Machine(7, 6), Machine(6, 5)]), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.rbm[1].up(self.rbm[0].up(x)))


class Face(nn.Module):
    def __init__(self, channels, width, d):
        super().__init__()
        for i, (c, o) in enumerate(((channels, width), (width, 2 * width), (2 * width, 4 * width)), 1):
            self.add_module(f"conv{i}", nn.Conv2d(c, o, 3, padding=1, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(o))
        self.embed = nn.Linear(4 * width, d)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        x = F.relu(self.bn3(self.conv3(x)))
        return F.normalize(self.embed(x.mean((2, 3))), dim=1)


class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.net, self.centre = Face(2, 2, 5), nn.Parameter(torch.empty(2, 5))

    def forward(self, x):
        return 4 * F.linear(self.net(x), F.normalize(self.centre, dim=1))


def small(model):
    """The stem of ResNet for images of 32 x 32."""
    model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    model.forward = lambda x: model.fc(nn.Sequential(model.layer1, model.layer2, model.layer3, model.layer4)(
        F.relu(model.bn1(model.conv1(x)))).mean((2, 3)))
    return model


def resnet(classes, bottleneck):
    model = Resnet((1, 1, 1, 1), bottleneck)
    model.fc = nn.Linear(model.fc.in_features, classes)
    return model


class Models:
    def __init__(self):
        self.goldens, self.shapes = make.Goldens(), {}

    def settled(self, name, module):
        shapes = {key: list(value.shape) for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}
        self.shapes.update({f"{name}.{key}": shape for key, shape in shapes.items()})
        weights = {key: torch.from_numpy(formula.tensor(f"{name}.{key}", shape)).double() for key, shape in shapes.items()}
        module.load_state_dict(weights, strict=False)
        return module.eval()

    def model(self, name, module, x, wanted, slope=True):
        self.settled(name, module)
        y = module(first(x)) if x.dim() == 4 else module(x)
        r = draw(*y.shape)
        parameters = dict(module.named_parameters())
        grads = torch.autograd.grad((y * r).sum(), [x] + [parameters[path] for path in wanted.values()])
        self.goldens.case(name, {"x": x, "r": r}, {"y": y, **({"dx": grads[0]} if slope else {}), **dict(zip(wanted, grads[1:]))})

    def machine(self, name, module, x):
        self.settled(name, module)
        h = module.up(x)
        v, r = module.down(h), draw(*x.shape)
        grads = torch.autograd.grad((v * r).sum(), [x, module.weight, module.bias, module.visible])
        self.goldens.case(name, {"x": x, "r": r},
                          {"up": h, "down": v, **dict(zip(("dx", "dweight", "dbias", "dvisible"), grads))})

    def write(self):
        self.goldens.write("models")
        with open(os.path.join(make.OUT, "models_weights.json"), "w", encoding="utf-8") as f:
            json.dump(self.shapes, f, separators=(",", ":"))


def main():
    make._random = np.random.default_rng(6)
    m = Models()
    m.model("mlp", Mlp(), draw(3, 7), {"dfirst": "fc1.weight", "dmiddle": "fc2.bias", "dlast": "fc3.weight"})
    m.model("lenet", Lenet(), draw(2, 14, 15, 1), {"dfirst": "conv1.weight", "dnorm": "bn2.weight", "dlast": "fc3.weight"})
    m.machine("machine", Machine(5, 6), draw(4, 5))
    m.model("belief", Belief(), draw(4, 7), {"dfirst": "rbm.0.weight", "dbias": "rbm.1.bias", "dlast": "head.weight"})
    m.model("resnet", small(resnet(5, False)), draw(2, 32, 33, 3),
            {"dfirst": "conv1.weight", "dnorm": "layer4.0.bn2.weight", "ddown": "layer2.0.downsample.1.bias", "dlast": "fc.bias"},
            slope=False)
    m.model("deep", resnet(3, True), draw(1, 40, 33, 3),
            {"dfirst": "bn1.bias", "dnorm": "layer2.0.bn2.weight", "ddown": "layer1.0.downsample.1.weight", "dlast": "fc.bias"},
            slope=False)
    m.model("face", Face(1, 3, 7), draw(3, 9, 11, 1), {"dfirst": "conv1.weight", "dlast": "embed.weight"})
    m.model("judge", Judge(), draw(3, 8, 9, 2), {"dnorm": "net.bn2.weight", "dcentre": "centre"})
    m.write()


if __name__ == "__main__":
    main()
