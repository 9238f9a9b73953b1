"""Instructions that one call of an entry executes on one thread of x86-64-v3, counted by callgrind, against the bounds that
instructions.json keeps. A count does not depend on the load of the machine; one that grows tells of a slower kernel without a clock.

    python instructions.py --build BUILD --folder SCRATCH [--only REGEX] [--update]

--update writes the counts of this build as the new bounds; it says what changed.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys

import programs

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.json")
SLACK = 1.03
# Sizes at which the inner loops are most of the count, and callgrind needs seconds.
CASES = {
    "product": "products product rows=96 inner=160 columns=192",
    "product of weights": "products weighted rows=96 inner=160 columns=192",
    "product of one row": "products weighted rows=1 inner=512 columns=768",
    "convolution 3 x 3": "convolution forward size=28 inputs=32 outputs=32",
    "convolution 1 x 1": "convolution forward size=28 inputs=32 outputs=64 kernel=1",
    "depthwise convolution": "convolution forward size=56 inputs=32 outputs=32 groups=32",
    "attention": "attention full length=128 heads=2",
    "causal attention": "attention causal length=128 heads=2",
    "recurrence": "lstm forward steps=8 units=64",
    "encoder layer": "encoder forward length=32 width=64 heads=2",
    "dilated sequence": "wavenet forward length=256 depth=2 channels=32",
    "pool and transposed convolution": "unet forward size=32 channels=8",
}


def count(case):
    """Of the entry and all that it calls."""
    program = case.compile("counted", "--cpu=x86-64-v3")
    (entry, words), = case.draw(program).items()
    module = os.path.splitext(os.path.basename(case.source))[0]
    command = ["valgrind", "--tool=callgrind", f"--toggle-collect={module}_{entry}__call", "--callgrind-out-file=/dev/null", program,
               entry, *words, "--out", case.folder, "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found or int(found.group(1)) == 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return int(found.group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    chosen = {name: programs.Case(text, options.build, options.folder) for name, text in CASES.items() if re.search(options.only, name)}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(chosen, pool.map(count, chosen.values())))
    kept = {}
    if os.path.exists(KEPT):
        with open(KEPT) as f:
            kept = json.load(f)
    beyond = []
    for name, instructions in counts.items():
        bound = kept.get(name)
        change = f"{100 * (instructions / bound - 1):+.1f} % from {bound:,}" if bound else "no bound"
        print(f"{name:34} {instructions:14,}  {change}", flush=True)
        if not bound or instructions > SLACK * bound:
            beyond.append(name)
    if options.update:
        with open(KEPT, "w") as f:
            json.dump({name: counts.get(name, kept.get(name)) for name in CASES}, f, indent=1)
            f.write("\n")
        return
    if beyond:
        sys.exit(f"more instructions than {SLACK} times the bound: {', '.join(beyond)}; if that is meant, instructions.py --update")


if __name__ == "__main__":
    main()
