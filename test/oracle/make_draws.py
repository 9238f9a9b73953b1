"""How PyTorch's initialisers are distributed: writes goldens/draws.json, 199 quantiles of 3 million draws of each.

    pip install -r requirements.txt && python make_draws.py
"""
import json
import os

import torch
from torch.nn import init

import make

SHAPE = 300, 400   # fan_out, fan_in
TIMES = 25
PARTS = 200

DRAWS = {   # as in draws.nacre
    "uniform_within": lambda w: init.uniform_(w, -0.3, 0.3),
    "fan_in_uniform": lambda w: w.copy_(torch.nn.Linear(400, 300).weight),
    "kaiming_uniform": lambda w: init.kaiming_uniform_(w, nonlinearity="relu"),
    "kaiming_normal": lambda w: init.kaiming_normal_(w, nonlinearity="linear").mul_(1.5),
    "lecun_normal": lambda w: init.kaiming_normal_(w, nonlinearity="linear"),
    "xavier_uniform": lambda w: init.xavier_uniform_(w, gain=2),
    "xavier_normal": lambda w: init.xavier_normal_(w),
    "truncated_normal": lambda w: init.trunc_normal_(w, 0.5, 2, 0.5 - 3, 0.5 + 3),
    "orthogonal": lambda w: init.orthogonal_(w, gain=1.25)}


def main():
    torch.manual_seed(1)
    at = torch.arange(1, PARTS) / PARTS
    out = {}
    with torch.no_grad():
        for name, fill in DRAWS.items():
            values = torch.cat([fill(torch.empty(SHAPE)).flatten() for _ in range(TIMES)]).sort().values
            out[name] = {"quantiles": [float(f"{v:.6g}") for v in values[(at * len(values)).long()].tolist()],
                         "deviation": float(f"{values.std():.6g}"), "low": float(f"{values[0]:.6g}"), "high": float(f"{values[-1]:.6g}")}
    with open(os.path.join(make.OUT, "draws.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, separators=(",", ":"))


if __name__ == "__main__":
    main()
