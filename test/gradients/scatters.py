"""Random affine subscripts: the derivative of sum(t[subscripts(I)] g[I]) by t is g added at these subscripts.

    python scatters.py NACRE FOLDER [COUNT [SEED]]

Numbers are small integers, so that the gathered form must equal NumPy's serial additions in every bit. Subscripts have one to
three indices with positive and negative coefficients, strides, windows, divisions and remainders; half have a condition.
"""
import itertools
import os
import random
import subprocess
import sys

import numpy as np


class Subscript:
    """sum of coefficient * (index, index // n or index % n), shifted so that the least value is 0."""

    def __init__(self, draw, indices):
        self.terms = []
        for index in draw.sample(range(len(indices)), draw.randint(1, min(3, len(indices)))):
            coefficient = draw.choice([1, 1, 1, 2, 2, 3, -1, -2])
            atom = draw.choice(["plain"] * 6 + ["div", "mod"])
            self.terms.append((coefficient, index, atom, draw.randint(2, 3)))
        values = [self.at(point, 0) for point in itertools.product(*map(range, indices))]
        self.shift = -min(values)
        self.extent = max(values) + self.shift + 1 + draw.randint(0, 2)

    def at(self, point, shift=None):
        total = self.shift if shift is None else shift
        for coefficient, index, atom, n in self.terms:
            value = point[index]
            total += coefficient * (value if atom == "plain" else value // n if atom == "div" else value % n)
        return total

    def text(self):
        parts = []
        for coefficient, index, atom, n in self.terms:
            value = f"i{index}" if atom == "plain" else f"i{index} // {n}" if atom == "div" else f"i{index} % {n}"
            parts.append(f"{coefficient} * ({value})")
        return " + ".join(parts) + f" + {self.shift}"


class Case:
    def __init__(self, draw, number):
        self.name = f"e{number}"
        self.indices = [draw.randint(1, 6) for _ in range(draw.randint(1, 3))]
        self.subscripts = [Subscript(draw, self.indices) for _ in range(draw.randint(1, 2))]
        self.condition = None
        if draw.random() < 0.5:
            self.condition = ([draw.choice([-1, 1, 2]) for _ in self.indices], draw.randint(0, 3))
        self.draw = np.random.default_rng(draw.randint(0, 1 << 30))

    def may_stay_serial(self):
        """One index divided by two numbers: its digits are no product."""
        divisors = {(index, n) for s in self.subscripts for _, index, atom, n in s.terms if atom != "plain"}
        return len(divisors) > len({index for index, _ in divisors})

    def holds(self, point):
        return not self.condition or sum(c * v for c, v in zip(self.condition[0], point)) + self.condition[1] >= 0

    def text(self):
        shape = ", ".join(str(s.extent) for s in self.subscripts)
        box = ", ".join(map(str, self.indices))
        bounds = ", ".join(f"i{k} < {n}" for k, n in enumerate(self.indices))
        read = f"t[{', '.join(s.text() for s in self.subscripts)}] * g[{', '.join(f'i{k}' for k in range(len(self.indices)))}]"
        if self.condition:
            form = " + ".join(f"{c} * i{k}" for k, c in enumerate(self.condition[0])) + f" + {self.condition[1]}"
            read = f"if {form} >= 0 then {read} else 0"
        return f"entry {self.name}(t: f32[{shape}], g: f32[{box}]) -> f32[{shape}] = grad(sum[{bounds}]({read}), t)\n"

    def check(self, program, folder):
        g = self.draw.integers(-9, 10, self.indices).astype(np.float32)
        expected = np.zeros([s.extent for s in self.subscripts], np.float32)
        for point in itertools.product(*map(range, self.indices)):
            if self.holds(point):
                expected[tuple(s.at(point) for s in self.subscripts)] += g[point]
        files = {name: os.path.join(folder, name + ".npy") for name in "tg"}
        np.save(files["t"], np.ones_like(expected))
        np.save(files["g"], g)
        run = subprocess.run([program, self.name, f"t={files['t']}", f"g={files['g']}", "--out", folder],
                             capture_output=True, text=True)
        if run.returncode != 0:
            return f"ended with {run.returncode}: {run.stderr.strip()}"
        got = np.load(os.path.join(folder, "result.npy"))
        return None if np.array_equal(got, expected) else f"differs in {int((got != expected).sum())} of {got.size} elements"


def main():
    nacre, folder = sys.argv[1:3]
    count, seed = (int(text) for text in (sys.argv[3:] + ["40", "4"][len(sys.argv) - 3:])[:2])
    draw = random.Random(seed)
    cases = [Case(draw, number) for number in range(count)]
    os.makedirs(folder, exist_ok=True)
    source, program = os.path.join(folder, "scatters.nacre"), os.path.join(folder, "scatters")
    with open(source, "w") as f:
        f.write("module scatters\n" + "".join(case.text() for case in cases))
    subprocess.run([nacre, "build", source, "-o", program], check=True)
    wrong = 0
    for case in cases:
        problem = case.check(program, folder)
        if problem:
            wrong += 1
            print(f"{case.text().strip()}: {problem}")
    shown = subprocess.run([nacre, "show", "--stage=fused", source], check=True, capture_output=True, text=True).stdout
    serial, allowed = shown.count("nacre.scatter "), sum(case.may_stay_serial() for case in cases)
    print(f"{count} scatters, {serial} left serial of {allowed} that may, {wrong} wrong")
    sys.exit(1 if wrong or serial > allowed else 0)


main()
