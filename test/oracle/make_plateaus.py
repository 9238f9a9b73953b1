"""The learning rates of torch.optim.lr_scheduler.ReduceLROnPlateau: writes goldens/plateaus.json.

    pip install -r requirements.txt && python make_plateaus.py
"""
import json
import os
import random

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
EPOCHS = 30
CASES = [   # of the scheduler; `lr` is where it starts
    {"lr": 0.1, "patience": 5},
    {"lr": 0.1, "patience": 3},
    {"lr": 0.1, "patience": 0, "factor": 0.5, "min_lr": 0.002},
    {"lr": 0.5, "patience": 1, "cooldown": 3, "factor": 0.25},
    {"lr": 0.1, "patience": 2, "threshold": 0.1, "factor": 0.5},
    {"lr": 0.1, "patience": 1, "mode": "max", "threshold": 0.05, "factor": 0.5},
]


def series(number, rising):
    """What is watched: improves ever more slowly, with noise; rounded, so that a text says it exactly."""
    draws = random.Random(number)
    fall = [1 / (1 + 0.4 * t) + 0.15 * draws.random() for t in range(EPOCHS)]
    return [round(1 - x if rising else x, 4) for x in fall]


def main():
    out = []
    for number, case in enumerate(CASES):
        settings = {"patience": 10, "factor": 0.1, "threshold": 1e-4, "cooldown": 0, "min_lr": 0, "mode": "min", **case}
        values = series(number, settings["mode"] == "max")
        lr = settings.pop("lr")
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)
        rates = []
        for value in values:
            rates.append(optimizer.param_groups[0]["lr"])
            scheduler.step(value)
        out.append({"lr": lr, **settings, "values": values, "rates": rates})
    with open(os.path.join(HERE, "goldens", "plateaus.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, separators=(",", ":"))


if __name__ == "__main__":
    main()
