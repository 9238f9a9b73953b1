"""What a row needs before anyone is timed, made once by PyTorch and kept in BUILD/bench/rows/NAME until the row, the network or a
version changes: the weights as safetensors, the results (or losses) in f64, ONNX files, and the count of operations.
"""
import copy
import dataclasses
import hashlib
import json
import os
import warnings

import numpy as np

import arrays
import rows

OPSETS = 18, 23   # 23 has attention as one operation; who runs that faster may


def folder(build, row):
    return os.path.join(build, "bench", "rows", row.name)


def description(build, row):
    with open(os.path.join(folder(build, row), "row.json")) as f:
        return json.load(f)


def expected(build, row):
    """The results in f64, or of a training row its losses."""
    path = folder(build, row)
    count = description(build, row)["results"]
    return [np.load(os.path.join(path, f"expected{i}.npy")) for i in range(count)]


def weights(build, row):
    """The file; empty where the row has no weights."""
    return os.path.join(folder(build, row), "weights.safetensors") if description(build, row)["weights"] else ""


def fingerprint(row):
    import importlib.metadata
    network_alone = dataclasses.replace(row, source="", settings={}, tolerance=0)
    digest = hashlib.sha256(repr(network_alone).encode())
    for name in "networks.py", "arrays.py", "prepare.py":
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "rb") as f:
            digest.update(f.read())
    for package in "torch", "onnx", "onnxscript":
        try:
            digest.update(importlib.metadata.version(package).encode())
        except importlib.metadata.PackageNotFoundError:
            digest.update(b"-")
    return digest.hexdigest()


def network(row, file=""):
    """The module with its weights, from the file that `prepare` wrote, the trained ones, or drawn."""
    import torch

    import networks
    with torch.device("meta"):
        module = getattr(networks, row.network)(**row.arguments)
    module = module.to_empty(device="cpu")
    file = file or getattr(row, "weights", "")
    given = arrays.read_safetensors(file) if file else {}
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point():
                value = given[name] if given else arrays.weight(name, tuple(tensor.shape))
                tensor.copy_(torch.from_numpy(value))
            else:
                tensor.zero_()   # the number of batches that a normalisation has seen
    if row.kind == "bf16":
        module = module.bfloat16().float()   # the weights that bf16 can hold
    return module.train(row.training)


def inputs(row):
    import torch
    values = [torch.from_numpy(v) for v in row.draw_inputs().values()]
    return [v.bfloat16().float() for v in values] if row.kind == "bf16" else values


def tuple_of(results):
    return tuple(results) if isinstance(results, (tuple, list)) else (results,)


def trainer(row, kind, wrap=lambda function: function):
    """A function that does one step and gives its loss."""
    import torch
    from torch.nn import functional as F
    module = network(row).to(kind)
    x, target = (torch.from_numpy(v) for v in row.draw_batch())
    x, target = x.to(kind), target.long() if row.target == () else target.to(kind)
    if x.dim() == 4:   # what convolutions like best
        module, x = module.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    if row.optimizer == "adam":
        optimizer = torch.optim.Adam(module.parameters(), lr=row.rate, fused=True)
    else:
        optimizer = torch.optim.SGD(module.parameters(), lr=row.rate, momentum=0.9 if row.optimizer == "momentum" else 0.0, fused=True)
    loss_of = F.cross_entropy if row.target == () else F.mse_loss
    forward = wrap(lambda x, target: loss_of(module(x), target))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x, target)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def losses(row):
    import torch
    step = trainer(row, torch.float64)
    return np.array([float(step()) for _ in range(rows.STEPS)])


def export(module, values, path, opset):
    import logging

    import torch
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, tuple(values), path, dynamo=True, opset_version=opset, external_data=True, verbose=False)


def export_all(row, module, values, path):
    """`model18.onnx`; `model23.onnx` where it has other operations; `model18_bf16.onnx` for rows of that kind."""
    import onnx
    found = []
    for opset in OPSETS:
        file = os.path.join(path, f"model{opset}.onnx")
        export(module, values, file, opset)
        found.append(sorted(node.op_type for node in onnx.load(file, load_external_data=False).graph.node))
    if found[0] == found[1]:
        for name in os.listdir(path):
            if name.startswith("model23.onnx"):
                os.remove(os.path.join(path, name))
    if row.kind == "bf16":
        export(copy.deepcopy(module).bfloat16(), [v.bfloat16() for v in values], os.path.join(path, "model18_bf16.onnx"), 18)


def prepare(build, row):
    """Returns what went wrong with the ONNX files, if anything."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    path, mark = folder(build, row), fingerprint(row)
    try:
        known = description(build, row)
        if known["fingerprint"] == mark:
            return known["onnx"]
    except (OSError, ValueError, KeyError):
        pass
    os.makedirs(path, exist_ok=True)
    for name in os.listdir(path):
        if os.path.isfile(os.path.join(path, name)):
            os.remove(os.path.join(path, name))
    torch.set_grad_enabled(row.training)
    module, problem, operations, results = network(row), "", 0, 1
    arrays.write_safetensors(os.path.join(path, "weights.safetensors"),
                             {name: t.detach().numpy() for name, t in module.state_dict().items() if t.is_floating_point()})
    if row.training:
        np.save(os.path.join(path, "expected0.npy"), losses(row))
    else:
        values = inputs(row)
        with FlopCounterMode(display=False) as counter:
            module(*values)
        operations = row.operations or counter.get_total_flops()
        answers = tuple_of(copy.deepcopy(module).double()(*(v.double() for v in values)))
        results = len(answers)
        for i, answer in enumerate(answers):
            np.save(os.path.join(path, f"expected{i}.npy"), answer.contiguous().numpy())
        try:
            export_all(row, module, values, path)
        except Exception as failure:   # the runtimes that need the file will name it
            problem = f"{type(failure).__name__}: {failure}".splitlines()[0][:300]
    with open(os.path.join(path, "row.json"), "w") as f:
        json.dump({"fingerprint": mark, "operations": operations, "results": results, "onnx": problem,
                   "weights": len(module.state_dict()) > 0}, f)
    return problem
