"""Trains the networks of this folder from scratch and holds them to their figures.

    python train.py [--nacre ../../build/bin/nacre] [--out DIR] [NAME ...]       NAME: mlp dbn lenet optimizers study

Every run starts from the seed in its file, so it ends with the same bits each time on one machine.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HELD_BACK = 360
# The figures of the textbook's table: held-back images that must be read rightly.
NETWORKS = {"mlp": ("fit", 0.97), "dbn": ("finetune", 0.95), "lenet": ("fit", 0.985)}
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "adamw")


def build(nacre, out, name):
    program = os.path.join(out, f"{name}_trainer")
    subprocess.run([nacre, "build", "--cpu=native", os.path.join(HERE, f"{name}.nacre"), "-o", program], check=True)
    return program


def train(program, out, block, weights, show=False):
    """What the trainer measured at the end, and the seconds it took. Weights and report go to `out`. With `show` a line for
    the first epoch and every tenth one."""
    start = time.perf_counter()
    command = [program, "train", block, "--out", os.path.abspath(os.path.join(out, weights)), "--data-dir", HERE,
               "--fresh", "--json"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=out)
    said = []
    for line in run.stderr:
        said.append(line)
        epoch = re.search(r"epoch (\d+)/(\d+)  loss (\S+).*validate\.accuracy (\S+)", line)
        if show and epoch and (epoch[1] == "1" or int(epoch[1]) % 10 == 0):
            print(f"    epoch {epoch[1]:>2} of {epoch[2]}: loss {float(epoch[3]):.3f}, {100 * float(epoch[4]):5.2f} % right", flush=True)
    results = run.stdout.read().splitlines()   # a line per block that ran
    if run.wait():
        raise AssertionError(f"{os.path.basename(program)} ended with {run.returncode}: {''.join(said[-3:]).strip()}")
    return json.loads(results[-1]), time.perf_counter() - start


def networks(nacre, out, names):
    for name in names:
        block, least = NETWORKS[name]
        print(f"  {name}: {os.path.relpath(os.path.join(HERE, name))}.nacre", flush=True)
        program = build(nacre, out, name)
        measured, seconds = train(program, out, block, f"{name}.safetensors", show=True)
        accuracy = measured["validate.accuracy"]
        print(f"  {name}: {round(accuracy * HELD_BACK)} of {HELD_BACK} held-back images right, {100 * accuracy:.2f} % "
              f"(at least {100 * least:g} %), trained in {seconds:.1f} s", flush=True)
        assert accuracy >= least, f"{name} reaches {accuracy:.4f}, not {least}"


def optimizers(nacre, out):
    program = build(nacre, out, "optimizers")
    for name in OPTIMIZERS:
        measured, _ = train(program, out, name, f"{name}.safetensors")
        print(f"  {name:9} loss {measured['loss']:.4f}, on the other fifth {measured['validate.loss']:.4f}, "
              f"accuracy {100 * measured['validate.accuracy']:.2f} %", flush=True)
        assert measured["validate.accuracy"] >= 0.9, f"{name} does not learn"


def study(nacre, out):
    program = build(nacre, out, "study")
    folds, _ = train(program, out, "folds", "folds.safetensors")
    accuracy = folds["validate.accuracy"]
    print(f"  five folds: accuracy {100 * accuracy['mean']:.2f} % +- {100 * accuracy['deviation']:.2f} %", flush=True)
    assert folds["folds"] == 5 and accuracy["mean"] >= 0.93
    patient, _ = train(program, out, "patient", "patient.safetensors")
    print(f"  early stop: after {patient['epoch'] + 1} of 200 epochs, accuracy {100 * patient['validate.accuracy']:.2f} %", flush=True)
    assert patient["epoch"] < 199 and patient["validate.accuracy"] >= 0.93
    done = subprocess.run([nacre, "sweep", os.path.join(HERE, "study.nacre"), "search", "--data-dir", HERE], check=True,
                          stdout=subprocess.PIPE, text=True, cwd=out)
    table = done.stdout[done.stdout.index("rank"):]
    print("  sweep:\n    " + table.strip().replace("\n", "\n    "), flush=True)
    scores = [float(line.split()[1]) for line in table.splitlines() if line.split()[0].isdigit()]
    assert len(scores) == 4 and scores == sorted(scores, reverse=True) and scores[0] >= 0.9


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nacre", default=os.path.join(HERE, "..", "..", "build", "bin", "nacre"))
    parser.add_argument("--out", default=os.path.join(HERE, "..", "..", "build", "examples", "digits"))
    parser.add_argument("names", nargs="*", default=[*NETWORKS, "optimizers", "study"])
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    for name in options.names:
        if name in NETWORKS:
            networks(options.nacre, options.out, [name])
        else:
            {"optimizers": optimizers, "study": study}[name](options.nacre, options.out)


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, subprocess.CalledProcessError) as problem:
        sys.exit(f"train.py: {problem}")
