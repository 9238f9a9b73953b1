"""`plateau`, epoch by epoch, against PyTorch's ReduceLROnPlateau (goldens/plateaus.json); then the same in two halves.

    python plateaus.py NACRE FOLDER
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = """module plateaus
import std

const series = {values}

layer Net(x: real[n, 2]) -> real[n, 1] = x |> fc: Linear[1]
model net = Net[]

data points -> (x: real[2], y: real[1]) {{
  source: csv("points.csv", header = false)
  map(row: real[3]): (x = row[0..2], y = row[2..3])
}}

## A metric that says what it is told for each epoch.
layer Told(at: i32) -> real {{
  state now: real = 0
  now <- series[at]
  return now
}}

train fit on net {{
  data: points
  validate: points
  batch: 2
  epochs: {epochs}
  loss(r): mse(net(r.x), r.y)
  optimizer: SGD[lr = plateau[{lr}, factor = {factor}, patience = {patience}, on = "told", threshold = {threshold},
                              cooldown = {cooldown}, floor = {min_lr}, mode = "{mode}"]]
  metrics(r): (told = Told(i32(epoch)))
  checkpoint: every(15, "{folder}/half.train")
}}
"""


def content(path):
    with open(path, "rb") as f:
        return f.read()


def rates(nacre, folder, *words):
    log = os.path.join(folder, "log.jsonl")
    subprocess.run([nacre, "train", os.path.join(folder, "plateaus.nacre"), "--data-dir", folder, "--log", log, "--quiet", *words], check=True,
                   stdout=subprocess.DEVNULL)
    with open(log, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    return [row["learning_rate"] for row in rows if row["event"] == "epoch"]


def main():
    nacre, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "points.csv"), "w", encoding="utf-8") as f:
        f.write("0,1,0.5\n1,0,0.25\n0.5,0.5,1\n0.25,1,0\n")
    with open(os.path.join(HERE, "goldens", "plateaus.json"), encoding="utf-8") as f:
        cases = json.load(f)
    for number, case in enumerate(cases):
        want = case.pop("rates")
        with open(os.path.join(folder, "plateaus.nacre"), "w", encoding="utf-8") as f:
            f.write(SOURCE.format(**case, epochs=len(want), folder=folder))
        whole, part = os.path.join(folder, "whole.safetensors"), os.path.join(folder, "part.safetensors")
        got = rates(nacre, folder, "--out", whole)
        assert len(got) == len(want) and all(abs(a - b) <= 2e-6 * b for a, b in zip(got, want)), \
            f"case {number}: {got}, PyTorch says {want}"
        rates(nacre, folder, "--out", part, "--epochs", "15")
        rest = rates(nacre, folder, "--out", part, "--resume", os.path.join(folder, "half.train"))
        assert rest == got and content(part) == content(whole), f"case {number}: resumed, {rest}, not {got}"
    print(f"{len(cases)} traces equal ReduceLROnPlateau's")


if __name__ == "__main__":
    main()
