"""A model file as programs: what its entries take, weights and inputs drawn by name, compiled and run in several ways."""
import os
import re
import subprocess
import sys
import zlib

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench"))
import arrays  # noqa: E402

KINDS = {"f32": np.float32, "i32": np.int32}


class Case:
    """`MODEL ENTRY,ENTRY.. name=value ..`: entries of bench/models/MODEL.nacre or of a file, and the settings of the build."""

    def __init__(self, text, build, folder):
        self.text = text
        model, entries, *settings = text.split()
        self.entries = entries.split(",")
        self.source = model if model.endswith(".nacre") else os.path.join(ROOT, "bench", "models", f"{model}.nacre")
        self.settings = [f"--set={s}" for s in settings]
        self.nacre = os.path.join(build, "bin", "nacre")
        self.folder = os.path.join(folder, f"{zlib.crc32(text.encode()):08x}")
        os.makedirs(self.folder, exist_ok=True)

    def compile(self, name, *flags):
        program = os.path.join(self.folder, name)
        run([self.nacre, "build", self.source, *self.settings, *flags, "-o", program])
        return program

    def draw(self, program):
        """Files of weights and inputs; {entry: the words of its call}."""
        text = run([self.nacre, "show", "--stage=nacre", self.source, *self.settings])
        models = re.findall(r'"([^"]+)"', re.search(r"nacre\.models = \[([^\]]*)\]", text).group(1)) if "nacre.models = [" in text else []
        asked = re.split(r"^  (\w+)$", run([program, "--help"]), flags=re.MULTILINE)
        names = {entry: re.findall(r"takes (\w+)=", part) for entry, part in zip(asked[1::2], asked[2::2])}
        return {entry: self.call(entry, text, models, names[entry]) for entry in self.entries}

    def call(self, entry, text, models, names):
        line = next(line for line in text.splitlines() if f'nacre.entry = "{entry}"' in line)
        weights, inputs, words = {}, [], []
        for kind, attributes in re.findall(r"%arg\d+: tensor<([^>]*)> \{([^}]*)\}", line):
            *shape, element = kind.split("x")
            shape = tuple(map(int, shape))
            path = re.search(r'nacre\.path = "([^"]*)", nacre\.weight = array<i64: (\d+)', attributes)
            if path:
                weights.setdefault(int(path.group(2)), {})[path.group(1)] = arrays.weight(path.group(1), shape)
            else:
                inputs.append(arrays.uniform(f"input{len(inputs)}", shape).astype(KINDS[element]))
        for name, value in zip(names, inputs, strict=True):
            file = os.path.join(self.folder, f"{entry}-{name}.npy")
            np.save(file, value)
            words.append(f"{name}={file}")
        for model, tensors in weights.items():
            file = os.path.join(self.folder, f"{entry}-{model}.safetensors")
            arrays.write_safetensors(file, tensors)
            words += ["--weights", file if len(models) == 1 else f"{models[model]}={file}"]
        return words

    def results(self, program, entry, words, threads=1):
        """{name: array} that a call gives."""
        out = f"{program}-out"
        os.makedirs(out, exist_ok=True)
        for name in os.listdir(out):
            os.remove(os.path.join(out, name))
        run([program, entry, *words, "--out", out, "--threads", str(threads)])
        return {name: np.load(os.path.join(out, name)) for name in sorted(os.listdir(out)) if name.endswith(".npy")}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
