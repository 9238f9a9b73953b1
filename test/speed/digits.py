"""Seconds from source to binary and milliseconds from process start to first answer, for both digit programs.

    python digits.py NACRE DIGITS FOLDER
"""
import os
import subprocess
import sys
import time

import numpy as np

nacre, digits, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
BUILD_SECONDS = {"mlp": 1.0, "lenet": 3.0}
START_MILLISECONDS = 3.0


def times(command, count):
    found = []
    for _ in range(count):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        process.wait()
        found.append(time.perf_counter() - start)
        assert process.returncode == 0, command
    return found


failed = False


def report(what, found, bound, unit):
    global failed
    verdict = "" if min(found) <= bound else "   TOO SLOW"
    failed |= bool(verdict)
    print(f"{what}: best {min(found):.2f} {unit}, median {np.median(found):.2f} {unit}, at most {bound} {unit}{verdict}")


for network, bound in BUILD_SECONDS.items():
    program = os.path.join(folder, network)
    report(f"{network}: source to binary", times([nacre, "build", os.path.join(digits, f"{network}.nacre"), "-o", program], 8), bound, "s")
    image = os.path.join(folder, "image.npy")
    np.save(image, np.zeros((1, 8, 8, 1), np.float32))
    command = [program, "predict", f"image={image}", "--weights", os.path.join(digits, f"{network}.safetensors"), "--out", folder]
    report(f"{network}: start to first answer", [1e3 * t for t in times(command, 40)], START_MILLISECONDS, "ms")
sys.exit(1 if failed else 0)
