"""Computes with PyTorch, in f64, what `check.py` compares attention with: goldens/attention*.safetensors.

    pip install -r requirements.txt && python make_attention.py
"""
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import make
from make import OUT, Goldens, settle  # noqa: F401 (f64 and one thread are set there)

make._random = np.random.default_rng(9)
draw = make.draw


def function(g, name, q, k, v, further=None, **options):
    repeat = q.shape[1] // k.shape[1]
    y = F.scaled_dot_product_attention(q, k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1), **options)
    r = draw(*y.shape)
    inputs = {"q": q, "k": k, "v": v, **(further or {}), "r": r}
    wanted = [key for key, x in inputs.items() if key != "r" and x.requires_grad]
    grads = torch.autograd.grad((y * r).sum(), [inputs[key] for key in wanted])
    g.case(name, inputs, {"y": y, **{"d" + key: grad for key, grad in zip(wanted, grads)}})


def main():
    g = Goldens()
    function(g, "full", draw(1, 4, 66, 3), draw(1, 2, 70, 3), draw(1, 2, 70, 2))
    q, k, v = draw(1, 2, 67, 3), draw(1, 2, 67, 3), draw(1, 2, 67, 4)
    function(g, "causal", q, k, v, is_causal=True)
    mask = torch.from_numpy(np.random.default_rng(10).random((2, 9, 11)) < 0.6)
    mask[:, :, 0] = True
    function(g, "masked", draw(2, 2, 9, 3), draw(2, 1, 11, 3), draw(2, 1, 11, 2), {"mask": mask.long()}, attn_mask=mask[:, None])
    bias = draw(2, 9, 12)
    function(g, "biased", draw(2, 2, 9, 3), draw(2, 2, 12, 3), draw(2, 2, 12, 2), {"bias": bias}, attn_mask=bias[None])

    for name, causal in (("together", False), ("in_order", True)):
        module = settle(nn.MultiheadAttention(6, 2, batch_first=True)).eval()
        for key, value in module.state_dict().items():
            g.weights[f"{name}.{key}"] = make.array(value)
        x = draw(2, 10, 6)
        barred = torch.ones(10, 10).triu(1).bool() if causal else None
        y = module(x, x, x, need_weights=False, attn_mask=barred)[0]
        r = draw(*y.shape)
        parameters = dict(module.named_parameters())
        wanted = {"dprojection": "in_proj_weight", "dshift": "in_proj_bias", "dweight": "out_proj.weight"}
        grads = torch.autograd.grad((y * r).sum(), [x] + [parameters[key] for key in wanted.values()])
        g.case(name, {"x": x, "r": r}, {"y": y, "dx": grads[0], **dict(zip(wanted, grads[1:]))})
    g.write("attention")


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    main()
