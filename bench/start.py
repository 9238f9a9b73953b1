"""The promises about waiting: seconds from a model file to a finished binary, and milliseconds from process start to the
first answer, for both digit programs. Prints best and median beside the figure promised; measured, never a test.

    python start.py --build BUILD
"""
import argparse
import os
import subprocess
import tempfile
import time

import numpy as np

DIGITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "02_digits")
BUILD_SECONDS = {"mlp": 1.0, "lenet": 3.0}
START_MILLISECONDS = 3.0


def times(command, count):
    found = []
    for _ in range(count):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        found.append(time.perf_counter() - start)
    return found


def report(what, found, promised, unit):
    print(f"{what:32} best {min(found):7.2f} {unit:2}  median {np.median(found):7.2f} {unit:2}  promised {promised} {unit}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(DIGITS, "..", "..", "build"))
    nacre = os.path.join(parser.parse_args().build, "bin", "nacre")
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "image.npy")
        np.save(image, np.zeros((1, 8, 8, 1), np.float32))
        for network, promised in BUILD_SECONDS.items():
            program = os.path.join(folder, network)
            build = [nacre, "build", os.path.join(DIGITS, f"{network}.nacre"), "-o", program]
            report(f"{network}: source to binary", times(build, 5), promised, "s")
            command = [program, "predict", f"image={image}", "--weights", os.path.join(DIGITS, f"{network}.safetensors"), "--out", folder]
            report(f"{network}: start to first answer", [1e3 * t for t in times(command, 50)], START_MILLISECONDS, "ms")


if __name__ == "__main__":
    main()
