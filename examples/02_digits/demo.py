"""`make demo`: networks are trained from scratch and become programs, two of which read real handwritten digits.

Trains three networks on digits (../03_train_digits) and one on faces (../04_faces), builds the programs, runs them with the weights just trained on the 360 held-back
images and with the shipped ones against the oracle, and classifies one PNG.
"""
import argparse
import os
import subprocess
import sys
import time

import numpy as np

import check
import digits

sys.path.insert(0, os.path.join(digits.HERE, "..", "03_train_digits"))
import train  # noqa: E402

HERE = digits.HERE
SHOWN = 7   # the digit whose picture is classified


def build(nacre, folder, network):
    source, program = os.path.join(HERE, f"{network}.nacre"), os.path.join(folder, network)
    start = time.perf_counter()
    subprocess.run([nacre, "build", source, "-o", program], check=True)
    seconds = time.perf_counter() - start
    print(f"nacre build {network}.nacre: {seconds:.2f} s, {os.path.getsize(program) / 1024:.0f} KB")
    return program


def classify(program, network, png, folder):
    subprocess.run([program, "classify", f"image={png}", "--weights", os.path.join(folder, f"{network}.safetensors"),
                    "--out", folder], check=True, stdout=subprocess.DEVNULL)
    label, prob = (np.load(os.path.join(folder, f"{name}.npy")) for name in ("label", "prob"))
    return int(label), float(prob[int(label)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"))
    build_folder = os.path.abspath(parser.parse_args().build)
    folder = os.path.join(build_folder, "demo")
    os.makedirs(folder, exist_ok=True)
    nacre = os.path.join(build_folder, "bin", "nacre")
    print("trained from scratch:", flush=True)
    train.networks(nacre, folder, ["mlp", "dbn", "lenet"])
    print("  faces: examples/04_faces/faces.nacre", flush=True)
    subprocess.run([sys.executable, os.path.join(HERE, "..", "04_faces", "train.py"), "--nacre", nacre, "--out", folder],
                   check=True)
    print(f"  reports with curves: {os.path.relpath(folder)}/mlp.html, dbn.html, lenet.html, faces.html\n")
    programs = {network: build(nacre, folder, network) for network in ("mlp", "lenet")}

    print("\n360 held-back images, with the weights that are shipped:")
    for network, program in programs.items():
        print("  " + check.check(program, network))

    png = os.path.join(HERE, "images", f"{SHOWN}.png")
    print(f"\n{os.path.relpath(png)}, 8 x 8 pixels:\n")
    print(digits.picture(digits.load()[0][digits.pictured()[SHOWN]]))
    for network, program in programs.items():
        label, prob = classify(program, network, png, folder)
        print(f"\n{network} reads it as {label} (probability {prob:.3f})", end="")
    print(f"\n\nThe programs are in {os.path.relpath(folder)}; try one:\n  {os.path.relpath(programs['mlp'])} classify "
          f"image={os.path.relpath(png)} --weights {os.path.relpath(os.path.join(folder, 'mlp.safetensors'))}")


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, subprocess.CalledProcessError) as problem:
        sys.exit(f"demo: {problem}")
