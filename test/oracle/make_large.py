"""The logits of AlexNet, VGG-16, ResNet-18 and ResNet-50 at 224 x 224, from PyTorch modules with the weights of formula.py;
and, where a network has no smaller form, the slope of Σ logits² / 2 by its first bias, which every layer passes on.

    pip install -r requirements.txt && python make_large.py      # writes goldens/large.json; f64, some minutes

The modules are written out here as torchvision defines them, with its names; torchvision itself is not needed.
"""
import json
import os

import torch
import torch.nn as nn
import torch.nn.functional as F

import formula

CLASSES = 10
HERE = os.path.dirname(os.path.abspath(__file__))


class Alexnet(nn.Module):
    def __init__(self):
        super().__init__()
        relu, pool = nn.ReLU, lambda: nn.MaxPool2d(3, 2)
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), relu(), pool(), nn.Conv2d(64, 192, 5, padding=2), relu(), pool(),
            nn.Conv2d(192, 384, 3, padding=1), relu(), nn.Conv2d(384, 256, 3, padding=1), relu(),
            nn.Conv2d(256, 256, 3, padding=1), relu(), pool())
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(9216, 4096), relu(), nn.Dropout(), nn.Linear(4096, 4096), relu(),
                                        nn.Linear(4096, CLASSES))

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 6).flatten(1))


class Vgg(nn.Module):
    def __init__(self, counts):
        super().__init__()
        layers, c = [], 3
        for count, o in zip(counts, (64, 128, 256, 512, 512)):
            for _ in range(count):
                layers += [nn.Conv2d(c, o, 3, padding=1), nn.ReLU()]
                c = o
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(25088, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(),
                                        nn.Dropout(), nn.Linear(4096, CLASSES))

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 7).flatten(1))


class Block(nn.Module):
    def __init__(self, c, o, stride, bottleneck):
        super().__init__()
        wide = 4 * o if bottleneck else o
        kernels = [(c, o, 1, 1), (o, o, 3, stride), (o, wide, 1, 1)] if bottleneck else [(c, o, 3, stride), (o, o, 3, 1)]
        for i, (a, b, k, s) in enumerate(kernels, 1):
            self.add_module(f"conv{i}", nn.Conv2d(a, b, k, s, k // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(b))
        self.count = len(kernels)
        self.downsample = None
        if stride != 1 or c != wide:
            self.downsample = nn.Sequential(nn.Conv2d(c, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = F.relu(y) if i < self.count else y
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Resnet(nn.Module):
    def __init__(self, counts, bottleneck):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        c = 64
        for stage, (count, o) in enumerate(zip(counts, (64, 128, 256, 512)), 1):
            blocks = []
            for i in range(count):
                blocks.append(Block(c, o, 2 if i == 0 and stage > 1 else 1, bottleneck))
                c = 4 * o if bottleneck else o
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(c, CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


MODELS = {"resnet18": lambda: Resnet((2, 2, 2, 2), False), "resnet50": lambda: Resnet((3, 4, 6, 3), True),
          "alexnet": Alexnet, "vgg16": lambda: Vgg((2, 2, 3, 3, 3))}


def main():
    torch.set_num_threads(1)
    out = {}
    x = torch.from_numpy(formula.image(1, 224)).double().permute(0, 3, 1, 2)
    for name, make in MODELS.items():
        with torch.no_grad(), torch.device("meta"):
            model = make()
        shapes = {key: list(value.shape) for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}
        weights = {key: torch.from_numpy(formula.tensor(key, shape)).double() for key, shape in shapes.items()}
        model.load_state_dict(weights, strict=False, assign=True)
        sloped = name in ("alexnet", "vgg16")
        bias = model.features[0].bias.requires_grad_() if sloped else None
        for key, value in model.named_parameters():
            value.requires_grad_(value is bias)
        logits = model.eval()(x)
        out[name] = {"logits": [[float(f"{v:.9g}") for v in row] for row in logits.tolist()], "weights": shapes}
        if sloped:
            (slope,) = torch.autograd.grad(logits.square().sum() / 2, bias)
            out[name]["slope"] = [float(f"{v:.9g}") for v in slope.tolist()]
        print(name, out[name]["logits"], flush=True)
    with open(os.path.join(HERE, "goldens", "large.json"), "w") as f:
        json.dump(out, f, indent=None, separators=(",", ":"))


if __name__ == "__main__":
    main()
