"""Chooses the settings of the trained examples again, without their held-back rows, and compares them with the files.

    python choose.py [--build ../build] [NAME ...]      NAME: mlp dbn lenet faces

Runs `nacre sweep FILE choose`, which trains a network for each combination and fold, and fails unless the constants in the file
are the first of the ranked table. Some minutes each; what is done is kept, so a second run goes on.
"""
import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = {"mlp": "03_train_digits/mlp.nacre", "dbn": "03_train_digits/dbn.nacre", "lenet": "03_train_digits/lenet.nacre",
         "faces": "04_faces/faces.nacre"}


def choose(nacre, file, out):
    done = subprocess.run([nacre, "sweep", file, "choose", "-o", out, "--data-dir", os.path.dirname(file)], check=True,
                          stdout=subprocess.PIPE, text=True)
    table = done.stdout.splitlines()[1:]
    print("  " + "\n  ".join(table[:3]), flush=True)
    with open(file, encoding="utf-8") as f:
        constants = dict(re.findall(r"^const (\w+) = ([-+.\w]+)", f.read(), re.MULTILINE))
    for name, value in (setting.split("=") for setting in table[0].split()[2:]):
        assert float(constants[name]) == float(value), f"{file} has {name} = {constants[name]}, the sweep chooses {value}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    if unknown := set(options.names) - set(FILES):
        parser.error(f"no example {', '.join(sorted(unknown))}")
    for name in options.names or FILES:
        print(f"{name}:", flush=True)
        choose(os.path.join(build, "bin", "nacre"), os.path.join(HERE, FILES[name]), os.path.join(build, "examples", f"choose_{name}"))


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, subprocess.CalledProcessError) as problem:
        sys.exit(f"choose.py: {problem}")
