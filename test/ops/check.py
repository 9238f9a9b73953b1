"""Runs the cases of one family through its .nacre file, optimised and through the plain lowering, and compares.

    python check.py NACRE FAMILY.nacre FOLDER [PROCESSOR ..]

With processors, runs the code for each of them instead, as far as this machine has what they need.
FAMILY.py beside it defines `cases()`, which yields Case(entry, inputs, results), and possibly WEIGHTS, name -> array,
and MODES, name -> flags of `nacre build`.
"""
import dataclasses
import importlib.util
import json
import os
import struct
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
MODES = {"optimised": ["--cpu=native"], "reference": ["--reference"]}


@dataclasses.dataclass
class Case:
    entry: str
    inputs: dict                    # name -> array of the element type that the entry states
    results: dict | None = None     # name -> array; None: refused, with `refusal` in the message
    within: float = 1e-5            # |a - b| <= within * (1 + |b|)
    refusal: str = ""


def write_safetensors(path, tensors):
    names = {np.dtype(np.float32): "F32", np.dtype(np.float64): "F64", np.dtype(np.int32): "I32", np.dtype(np.int64): "I64"}
    header, data = {}, b""
    for name, array in tensors.items():
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += np.ascontiguousarray(array).tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def difference(got, expected, within):
    """What is wrong with `got`, or None."""
    if got.dtype != expected.dtype:
        return f"is {got.dtype}, expected {expected.dtype}"
    if got.shape != expected.shape:
        return f"has shape {list(got.shape)}, expected {list(expected.shape)}"
    if expected.dtype.kind != "f":
        wrong = got != expected
    else:
        wrong = ~np.isclose(got.astype(np.float64), expected.astype(np.float64), rtol=within, atol=within, equal_nan=True)
    if not wrong.any():
        return None
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"differs in {int(wrong.sum())} of {got.size} elements, first at {list(where)}: {got[where]!r}, expected {expected[where]!r}"


def run_case(program, case, folder, weights):
    """What is wrong, as a list of texts."""
    arguments = []
    for name, array in case.inputs.items():
        path = os.path.join(folder, f"{name}.npy")
        np.save(path, array)
        arguments.append(f"{name}={path}")
    results = os.path.join(folder, "results")
    os.makedirs(results, exist_ok=True)
    run = subprocess.run([program, case.entry, *arguments, *(["--weights", weights] if weights else []), "--out", results],
                         capture_output=True, text=True)
    if case.results is None:
        if run.returncode <= 0 or case.refusal not in run.stderr:
            return [f"ended with {run.returncode} and `{run.stderr.strip()}`, expected a refusal that says `{case.refusal}`"]
        return []
    if run.returncode != 0:
        return [f"ended with {run.returncode}: {run.stderr.strip()}"]
    wrong = []
    for name, expected in case.results.items():
        path = os.path.join(results, f"{name}.npy")
        problem = difference(np.load(path), np.asarray(expected), case.within)
        os.remove(path)
        if problem:
            wrong.append(f"`{name}` {problem}")
    return wrong


def main():
    nacre, source, folder, *processors = sys.argv[1:]
    family = os.path.splitext(os.path.basename(source))[0]
    spec = importlib.util.spec_from_file_location(f"{family}_cases", os.path.splitext(source)[0] + ".py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, HERE)
    sys.modules["check"] = sys.modules["__main__"]   # so that a family's `from check import Case` means this class
    spec.loader.exec_module(module)
    modes = {name: [f"--cpu={name}"] for name in processors} or getattr(module, "MODES", MODES)
    os.makedirs(folder, exist_ok=True)
    weights = None
    if hasattr(module, "WEIGHTS"):
        weights = os.path.join(folder, "weights.safetensors")
        write_safetensors(weights, module.WEIGHTS)
    failures = count = 0
    for mode, flags in modes.items():
        program = os.path.join(folder, f"{family}_{mode}")
        subprocess.run([nacre, "build", source, *flags, "-o", program], check=True)
        for case in module.cases():
            count += 1
            shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in case.inputs.items())
            for problem in run_case(program, case, folder, weights):
                failures += 1
                print(f"{mode}: {case.entry}({shapes}): {problem}")
    print(f"{family}: {count} runs, {failures} wrong")
    sys.exit(1 if failures or not count else 0)


if __name__ == "__main__":
    main()
