"""Writes small valid programs at random, runs them optimised and through the plain lowering, and compares both with NumPy.

    python random_programs.py NACRE FOLDER [--seed 1] [--programs 40] [--seconds 60]

A program is one entry over tensors whose extents mix numbers and the run-time dimensions n and m: element-wise chains,
reductions, products, sliding windows, strides, reversals, conditions on indices, reshapes, concatenations, softmax. Each
step is appended to the text and evaluated with NumPy at once. A program that a build refuses is a failure too.
"""
import argparse
import dataclasses
import os
import subprocess
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ops"))
import check  # noqa: E402
import oracle  # noqa: E402

PER_FILE = 8       # entries in one file: a build costs more than a run
BOUNDS = {"n": 40, "m": 20}
LARGEST = 20000    # elements of one value


@dataclasses.dataclass(frozen=True)
class Extent:
    """n * by_n + m * by_m + rest."""
    by_n: int = 0
    by_m: int = 0
    rest: int = 0

    def __str__(self):
        terms = [(f"{k}*" if k != 1 else "") + name for k, name in ((self.by_n, "n"), (self.by_m, "m")) if k]
        if self.rest or not terms:
            terms.append(str(self.rest))
        return " + ".join(terms).replace("+ -", "- ")

    def plus(self, other):
        return Extent(self.by_n + other.by_n, self.by_m + other.by_m, self.rest + other.rest)

    def times(self, k):
        return Extent(self.by_n * k, self.by_m * k, self.rest * k)

    @property
    def fixed(self):
        return not (self.by_n or self.by_m)


@dataclasses.dataclass
class Value:
    name: str
    extents: list
    data: np.ndarray     # f64


class Writer:
    """One entry, step by step."""

    def __init__(self, random, number):
        self.random, self.number, self.lines, self.values = random, number, [], []
        self.sizes = {"n": int(random.integers(1, BOUNDS["n"] + 1)), "m": int(random.integers(1, BOUNDS["m"] + 1))}

    def pick(self, choices):
        return choices[int(self.random.integers(len(choices)))]

    def size(self, extent):
        return extent.by_n * self.sizes["n"] + extent.by_m * self.sizes["m"] + extent.rest

    def let(self, left, text, extents, data):
        """Appends `let NAME[left] = text`; values are kept near 1 so that no tolerance hides anything."""
        if data.size > LARGEST:
            return
        name = f"v{len(self.lines)}"
        self.lines.append(f"let {name}{left} = {text}")
        largest = np.abs(data).max()
        if largest > 8:
            scale = float(2.0 ** -np.ceil(np.log2(largest / 4)))
            scaled = f"v{len(self.lines)}"
            self.lines.append(f"let {scaled} = {name} * {scale!r}")
            name, data = scaled, data * scale
        self.values.append(Value(name, list(extents), data))

    @staticmethod
    def indices(value, letters="abcdefg"):
        return list(letters[: len(value.extents)])

    # ---- steps, each drawing a value that exists -------------------------------------------------------------------
    def unary(self, x):
        text, function = self.pick([
            ("tanh({})", np.tanh), ("abs({})", np.abs), ("-{}", np.negative), ("sin({})", np.sin), ("relu({})", lambda v: np.maximum(v, 0)),
            ("exp(min({}, 1))", lambda v: np.exp(np.minimum(v, 1))), ("sqrt(abs({}) + 0.5)", lambda v: np.sqrt(np.abs(v) + 0.5)),
            ("{}^2", np.square), ("sigmoid({})", lambda v: 1 / (1 + np.exp(-v))), ("1 / (2 + {}^2)", lambda v: 1 / (2 + v * v))])
        self.let("", text.format(x.name), x.extents, function(x.data))

    def binary(self, x):
        same = [y for y in self.values if y.extents == x.extents]
        tails = [y for y in self.values if 0 < len(y.extents) < len(x.extents) and y.extents == x.extents[-len(y.extents):]]
        y = self.pick(tails if tails and self.random.random() < 0.5 else same)
        text, function = self.pick([("{} + {}", np.add), ("{} - {}", np.subtract), ("{} * {}", np.multiply)] + (
            [("max({}, {})", np.maximum), ("min({}, {})", np.minimum)] if y.extents == x.extents else []))
        self.let("", text.format(x.name, y.name), x.extents, function(x.data, y.data))

    def reduce(self, x):
        if not x.extents:
            return
        axis, names = int(self.random.integers(len(x.extents))), self.indices(x)
        kind, function = self.pick([("sum", np.sum), ("mean", np.mean), ("max", np.max), ("min", np.min), ("logsumexp", None)])
        kept = names[:axis] + names[axis + 1:]
        left = f"[{', '.join(kept)}]" if kept else ""
        data = function(x.data, axis) if function else oracle.logsumexp(x.data, axis)
        self.let(left, f"{kind}[{names[axis]}]({x.name}[{', '.join(names)}])", x.extents[:axis] + x.extents[axis + 1:], np.asarray(data))

    def transpose(self, x):
        if len(x.extents) < 2:
            return
        order, names = list(map(int, self.random.permutation(len(x.extents)))), self.indices(x)
        self.let(f"[{', '.join(names[i] for i in order)}]", f"{x.name}[{', '.join(names)}]", [x.extents[i] for i in order],
                 x.data.transpose(order))

    def product(self, x):
        """Contracts an axis of x with an equal axis of another value, with an addition around it now and then."""
        pairs = [(i, y, j) for i, e in enumerate(x.extents) for y in self.values for j, f in enumerate(y.extents)
                 if e == f and len(x.extents) + len(y.extents) <= 6]
        if not pairs:
            return
        i, y, j = self.pick(pairs)
        left, right = self.indices(x), self.indices(y, "pqrstuv")
        right[j] = left[i]
        kept = left[:i] + left[i + 1:] + right[:j] + right[j + 1:]
        if len(kept) > 4:
            return
        extents = x.extents[:i] + x.extents[i + 1:] + y.extents[:j] + y.extents[j + 1:]
        if np.prod([float(self.size(e)) for e in extents]) > LARGEST:
            return
        data = np.tensordot(x.data, y.data, (i, j)) / x.data.shape[i]
        text = f"sum[{left[i]}]({x.name}[{', '.join(left)}] * {y.name}[{', '.join(right)}]) / ({x.extents[i]})"
        self.let(f"[{', '.join(kept)}]" if kept else "", text, extents, np.asarray(data))

    def window(self, x):
        """A sliding mean, perhaps with a stride or a dilation, along an axis of known length."""
        axes = [i for i, e in enumerate(x.extents) if e.fixed and e.rest >= 4]
        if not axes:
            return
        axis = self.pick(axes)
        width, stride, dilation = int(self.random.integers(2, 4)), int(self.random.integers(1, 3)), 1
        length = x.extents[axis].rest
        if (width - 1) * 2 < length and self.random.random() < 0.3:
            dilation = 2
        out = (length - dilation * (width - 1) - 1) // stride + 1
        if out < 1:
            return
        names = self.indices(x)
        subscripts, binders = names.copy(), names.copy()
        at = f"{names[axis]}*{stride}" if stride > 1 else names[axis]
        subscripts[axis] = f"{at} + w*{dilation}" if dilation > 1 else f"{at} + w"
        binders[axis] = f"{names[axis]} < {out}"
        kind, function = self.pick([("sum", np.sum), ("max", np.max)])
        rows = [x.data.take(np.arange(out) * stride + w * dilation, axis) for w in range(width)]
        self.let(f"[{', '.join(binders)}]", f"{kind}[w < {width}]({x.name}[{', '.join(subscripts)}])",
                 x.extents[:axis] + [Extent(rest=out)] + x.extents[axis + 1:], function(np.stack(rows), 0))

    def reverse(self, x):
        if not x.extents:
            return
        axis, names = int(self.random.integers(len(x.extents))), self.indices(x)
        subscripts = names.copy()
        subscripts[axis] = f"{x.extents[axis]} - 1 - {names[axis]}"
        self.let(f"[{', '.join(names)}]".replace(names[axis], f"{names[axis]} < {x.extents[axis]}"), f"{x.name}[{', '.join(subscripts)}]", x.extents,
                 np.flip(x.data, axis))

    def condition(self, x):
        if not x.extents:
            return
        axis, names = int(self.random.integers(len(x.extents))), self.indices(x)
        position = np.arange(x.data.shape[axis]).reshape([-1 if i == axis else 1 for i in range(x.data.ndim)])
        read = f"{x.name}[{', '.join(names)}]"
        if self.random.random() < 0.5:
            text, data = f"if {names[axis]} % 2 == 0 then {read} else 0.5 * {read} + 1", np.where(position % 2 == 0, x.data, 0.5 * x.data + 1)
        else:   # the neighbour before, guarded by the condition
            before = names.copy()
            before[axis] = f"{names[axis]} - 1"
            text = f"if {names[axis]} >= 1 then {x.name}[{', '.join(before)}] else {read}"
            data = np.where(position >= 1, np.roll(x.data, 1, axis), x.data)
        self.let(f"[{', '.join(names)}]", text, x.extents, data)

    def reshape(self, x):
        places = [i for i in range(len(x.extents) - 1) if x.extents[i].fixed or x.extents[i + 1].fixed]
        if not places:
            return
        i = self.pick(places)
        a, b = x.extents[i], x.extents[i + 1]
        extents = x.extents[:i] + [a.times(b.rest) if b.fixed else b.times(a.rest)] + x.extents[i + 2:]
        self.let("", f"reshape({x.name}, [{', '.join(map(str, extents))}])", extents, x.data.reshape([self.size(e) for e in extents]))

    def concat(self, x):
        if not x.extents:
            return
        axis = int(self.random.integers(len(x.extents)))
        fits = [y for y in self.values if len(y.extents) == len(x.extents)
                and all(e == f for k, (e, f) in enumerate(zip(x.extents, y.extents)) if k != axis)]
        y = self.pick(fits)
        extents = x.extents.copy()
        extents[axis] = extents[axis].plus(y.extents[axis])
        self.let("", f"concat([{x.name}, {y.name}], {axis})", extents, np.concatenate([x.data, y.data], axis))

    def softmax(self, x):
        if x.extents:
            self.let("", f"softmax({x.name})", x.extents, oracle.softmax(x.data))

    # ---- the whole entry ---------------------------------------------------------------------------------------------
    def write(self):
        """(text, case)."""
        axes = [Extent(by_n=1), Extent(by_m=1), *(Extent(rest=int(self.random.integers(1, 17))) for _ in range(3))]
        inputs = []
        for i in range(3):   # n and m must stand alone somewhere
            extents = [axes[i]] if i < 2 else []
            extents += [self.pick(axes) for _ in range(int(self.random.integers(1, 3)))]
            data = self.random.normal(size=[self.size(e) for e in extents]).astype(np.float32)
            inputs.append(Value(f"x{i}", extents, data.astype(np.float64)))
        self.values += inputs
        steps = [self.unary, self.unary, self.binary, self.binary, self.reduce, self.transpose, self.product, self.product, self.window,
                 self.reverse, self.condition, self.reshape, self.concat, self.softmax]
        for _ in range(int(self.random.integers(4, 13))):
            recent = self.values[-3:] if self.random.random() < 0.6 else self.values
            self.pick(steps)(self.pick(recent))
        made = self.values[len(inputs):][-3:] or inputs[:1]
        entry = f"program{self.number}"

        def shape(value):
            return f"[{', '.join(map(str, value.extents))}]" if value.extents else ""

        parameters = ", ".join(f"{v.name}: f32{shape(v)}" for v in inputs)
        results = ", ".join(f"r{i}: f32{shape(v)}" for i, v in enumerate(made))
        where = ", ".join(f"{name} <= {bound}" for name, bound in BOUNDS.items())
        body = "".join(f"  {line}\n" for line in self.lines)
        returned = ", ".join(f"r{i} = {v.name}" for i, v in enumerate(made))
        text = f"entry {entry}({parameters}) -> ({results}) where {where} {{\n{body}  return ({returned})\n}}\n"
        case = check.Case(entry, {v.name: v.data.astype(np.float32) for v in inputs},
                          {f"r{i}": np.asarray(v.data).astype(np.float32) for i, v in enumerate(made)}, within=3e-5)
        return text, case


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nacre")
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--programs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=240, help="no further file after so long; what was not run is said")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    start, done, failures = time.monotonic(), 0, 0
    for number in range(0, options.programs, PER_FILE):
        if time.monotonic() - start > options.seconds:
            break
        programs = [Writer(np.random.default_rng([options.seed, i]), i).write()
                    for i in range(number, min(number + PER_FILE, options.programs))]
        source = os.path.join(options.folder, f"programs_{options.seed}_{number}.nacre")
        with open(source, "w") as f:
            f.write("module programs\nimport std\n\n" + "\n".join(text for text, _ in programs))
        for mode, flags in check.MODES.items():
            program = os.path.join(options.folder, mode)
            built = subprocess.run([options.nacre, "build", source, *flags, "-o", program], capture_output=True, text=True)
            if built.returncode != 0:
                failures += 1
                print(f"{source}: {mode} build ended with {built.returncode}\n{built.stderr}")
                continue
            for text, case in programs:
                done += 1
                for problem in check.run_case(program, case, options.folder, None):
                    failures += 1
                    print(f"{source}: {mode}: {case.entry}: {problem}\n{text}")
    print(f"seed {options.seed}: {done} runs of {2 * options.programs}, {failures} wrong")
    sys.exit(1 if failures or not done else 0)


if __name__ == "__main__":
    main()
