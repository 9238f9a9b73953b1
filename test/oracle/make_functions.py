"""What PyTorch says of Inputs/functions.nacre: writes goldens/functions.safetensors.

    pip install -r requirements.txt && python make_functions.py

An augmentation is an affine grid and a bilinear sample of it; a schedule is the learning rate that an optimiser of
PyTorch has before each of sixty steps.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch.optim import lr_scheduler as lr

import make
from make import draw, whole

STEPS = 60


def images(g):
    g.function("zero_padded", lambda x: F.pad(x, (2, 2, 1, 1)), draw(2, 3, 4, 3))
    g.function("in_frame", lambda x: F.pad(x, (2, 2, 2, 2), value=0.75), draw(2, 3, 4, 3))
    one = torch.zeros(3, 1, 3, 3)   # a kernel that is 1 in its middle: a transposed convolution with it only spreads
    one[:, 0, 1, 1] = 1
    g.function("spread_out", lambda x: F.pad(F.conv_transpose2d(x, one, stride=3, groups=3, padding=1), (2, 2, 2, 2)),
               draw(2, 3, 4, 3))
    g.function("global_average", lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1), draw(2, 3, 5, 4))
    g.function("global_maximum", lambda x: F.adaptive_max_pool2d(x, 1).flatten(1), draw(2, 3, 5, 4))


def numbers(g):
    g.function("on_sphere", lambda x: F.normalize(x, dim=1), draw(5, 3), images=False)
    a, b, r = draw(5, 3), draw(5, 3), draw(5)
    y = F.pairwise_distance(a, b)
    da, db = torch.autograd.grad((y * r).sum(), [a, b])
    g.case("distances", {"a": a, "b": b, "r": r}, {"y": y, "da": da, "db": db})
    g.function("inverse_error", torch.erfinv, torch.tanh(draw(41)).detach().float().double().requires_grad_(), images=False)
    g.function("horner", lambda x: sum(c * x ** (3 - i) for i, c in enumerate((0.5, -1.25, 2.0, -0.75))), draw(11), images=False)
    w = draw(3, 4)
    fixed = {"zeros": torch.nn.init.zeros_, "ones": torch.nn.init.ones_, "identity": torch.nn.init.eye_,
             "filled": lambda w: torch.nn.init.constant_(w, 0.3)}
    g.case("fixed_weights", {"w": w}, {name: fill(w.detach().clone()) for name, fill in fixed.items()})


def rates(start, make_schedule):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=start)
    schedule, seen = make_schedule(optimizer), []
    for _ in range(STEPS):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return torch.tensor(seen)


def schedules(g):
    def warmed(o):   # a factor of 1/12, 2/12, .. 1 beside the steps
        return lr.ChainedScheduler([lr.LinearLR(o, 1 / 12, 1.0, 11), lr.StepLR(o, 7, 0.6)])

    def rising(o):   # a line from 0, then half a cosine: step t of the library is epoch t here, so the first has rate 1/10
        return lr.SequentialLR(o, [lr.LinearLR(o, 1 / 10, 1.0, 9), lr.CosineAnnealingLR(o, 40)], [9])

    g.case("schedules", {"factor": torch.ones(STEPS)}, {
        "constant": rates(0.3, lambda o: lr.ConstantLR(o, 1.0)),
        "step_decay": rates(0.5, lambda o: lr.StepLR(o, 7, 0.6)),
        "milestones": rates(0.4, lambda o: lr.MultiStepLR(o, [5, 20, 33], 0.3)),
        "exponential": rates(0.7, lambda o: lr.ExponentialLR(o, 0.95)),
        "linear": rates(0.2, lambda o: lr.LinearLR(o, 1.0, 0.25, 40)),
        # PyTorch gives the first step the peak, the library its first step of 60 a 60th of the way: one epoch apart.
        "cosine": torch.cat([rates(0.3, lambda o: lr.CosineAnnealingLR(o, 60, 0.01))[1:], torch.tensor([0.01])]),
        "warm_cosine": torch.cat([rates(0.3, rising)[:50], torch.zeros(10)]),
        "restarts": rates(0.3, lambda o: lr.CosineAnnealingWarmRestarts(o, 13, eta_min=0.02)),
        "one_cycle": rates(0.1, lambda o: lr.OneCycleLR(o, 0.1, total_steps=60)),
        "inverse_root": rates(1.0, lambda o: lr.LambdaLR(o, lambda e: 64 ** -0.5 * min((e + 1) ** -0.5, (e + 1) * 15 ** -1.5))),
        "polynomial": torch.cat([rates(0.2, lambda o: lr.PolynomialLR(o, 45, 0.9))[1:], torch.zeros(1)]),
        "warm_up": rates(0.5, warmed)})


def warp(x, linear, shift=(0.0, 0.0), fill=0.0):
    """x [h, w, c]; a point of the result at (x, y) from the centre comes from linear (x, y) + shift, in pixels."""
    h, w, _ = x.shape
    half = torch.tensor([(w - 1) / 2, (h - 1) / 2])
    theta = torch.cat([torch.tensor(linear) * half[None, :] / half[:, None], (torch.tensor(shift) / half)[:, None]], 1)
    grid = F.affine_grid(theta[None], (1, 1, h, w), align_corners=True)
    return F.grid_sample((x - fill).permute(2, 0, 1)[None], grid, padding_mode="zeros", align_corners=True)[0].permute(1, 2, 0) + fill


def augmentation(g):
    def scalar(value):
        return torch.tensor(float(np.float32(value)))

    x = draw(9, 6, 2).detach()
    angle = math.radians(-25)
    c, s = math.cos(angle), math.sin(angle)
    g.case("rotated", {"x": x, "degrees": scalar(-25)}, {"result": warp(x, [[c, -s], [s, c]], fill=0.5)})
    g.case("scaled", {"x": x, "factor": scalar(1.375)}, {"result": warp(x, [[1 / 1.375, 0.0], [0.0, 1 / 1.375]])})
    g.case("shifted", {"x": x, "down": scalar(1.25), "right": scalar(-2.5)},
           {"result": warp(x, [[1.0, 0.0], [0.0, 1.0]], (2.5, -1.25), -1.0)})
    hole = x.clone()
    hole[4:7, 2:5] = 0.25
    g.case("changed", {"x": x, "top": torch.tensor(4), "left": torch.tensor(2)}, {"flipped": torch.flip(x, (1,)), "hole": hole})
    x, label = draw(4, 3, 5, 2).detach(), whole(0, 9, 4)
    g.case("mixed", {"x": x, "label": label, "share": scalar(0.625)},
           {"blend": torch.lerp(torch.roll(x, -1, 0), x, 0.625), "next": torch.roll(label, -1)})


if __name__ == "__main__":
    make._random = np.random.default_rng(8)
    goldens = make.Goldens()
    for part in images, numbers, schedules, augmentation:
        part(goldens)
    goldens.write("functions")
