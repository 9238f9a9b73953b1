"""Waiting: seconds from a model file to a finished binary, and milliseconds and memory from process start to the first answer.

    python start.py --build BUILD            both digit programs, beside the figures promised; measured, never a test
    python start.py PEER ROW BUILD           one peer's first answer, a line on standard output (what `bench.py` launches)

bench.py takes the rows of STARTED from here: a process is started, loads weights and model, answers once; ratio and spread as of the
other rows, `mib` the peak of resident memory. The first start of each, which fetches files into memory, does not count.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

import arrays
import rows

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = rows.DIGITS
BUILD_SECONDS = {"mlp": 1.0, "lenet": 3.0}
START_MILLISECONDS = 3.0
STARTED = {f"start_{name}": name for name in ("mlp_b1", "encoder_layer", "resnet50", "bert_base")}
STARTS, ENOUGH_SECONDS = 7, 15.0


# ---- what a process does until its first answer ------------------------------------------------------------------------
def our_command(build, row):
    import ours
    import prepare
    nacre = ours.Nacre(1, build)
    folder = nacre.folder(row)
    program, _ = nacre.compile(row, product="exe")
    words = []
    for name, value in row.draw_inputs().items():
        file = os.path.join(folder, f"{name}.npy")
        np.save(file, arrays.channels_last(value) if row.channels_last else value)
        words.append(f"{name}={file}")
    return [program, row.entry, *words, "--weights", prepare.weights(build, row), "--out", folder, "--threads", "1"]


def command(build, name, row):
    if name == "nacre":
        return our_command(build, row)
    if name == "iree":
        import peers
        program, _ = peers.Iree(1, build).load(row)
        return [peers.tool("iree-run-module"), *program.arguments, "--output=+/dev/null"]
    return [sys.executable, os.path.join(HERE, "start.py"), name, row.name, build]


def answer(name, row, build):
    import peers
    peer = peers.PEERS[name](1, build)
    call, results = peer.open(row, peer.onnx_files(row)[0]) if hasattr(peer, "open") else peer.load(row)
    call()
    print(float(results()[0].ravel()[0]), flush=True)
    os._exit(0)


# ---- the row -----------------------------------------------------------------------------------------------------------
def launcher(build):
    program = os.path.join(build, "bench", "launch")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", os.path.join(HERE, "launch.c"), "-o", program], check=True)
    return program


def starts(launch, words, whole):
    """Milliseconds and MiB of several starts; `whole`: to the end of the process, because it prints before it has the answer."""
    found, begin = [], time.perf_counter()
    while len(found) < 2 or len(found) < STARTS + 1 and time.perf_counter() - begin < ENOUGH_SECONDS:
        done = subprocess.run([launch, *words], capture_output=True, text=True)
        one = json.loads(done.stdout) if done.stdout else {"status": done.returncode}
        if one["status"]:
            raise RuntimeError((done.stderr.strip().splitlines() or [f"ended with {one['status']}"])[-1][:300])
        found.append((one["total_ms" if whole else "first_ms"], one["mib"]))
    return [ms for ms, _ in found[1:]], float(np.median([mib for _, mib in found[1:]]))


def measure(build, name, names):
    """{contender: milliseconds}, {contender: MiB}, {contender: why it failed}."""
    row, launch = rows.ROWS[STARTED[name]], launcher(build)
    times, memory, failed = {}, {}, {}
    for contender in ["nacre", *names]:
        try:
            times[contender], memory[contender] = starts(launch, command(build, contender, row), contender in ("nacre", "iree"))
        except Exception as problem:   # who cannot start is named in the row
            failed[contender] = f"{type(problem).__name__}: {problem}".splitlines()[0][:300]
    return times, memory, failed


# ---- the promises ------------------------------------------------------------------------------------------------------
def durations(words, count):
    found = []
    for _ in range(count):
        start = time.perf_counter()
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
        found.append(time.perf_counter() - start)
    return found


def report(what, found, promised, unit):
    print(f"{what:32} best {min(found):7.2f} {unit:2}  median {np.median(found):7.2f} {unit:2}  promised {promised} {unit}", flush=True)


def promises(build):
    nacre = os.path.join(build, "bin", "nacre")
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "image.npy")
        np.save(image, np.zeros((1, 8, 8, 1), np.float32))
        for network, promised in BUILD_SECONDS.items():
            program = os.path.join(folder, network)
            build_words = [nacre, "build", os.path.join(DIGITS, f"{network}.nacre"), "-o", program]
            report(f"{network}: source to binary", durations(build_words, 5), promised, "s")
            words = [program, "predict", f"image={image}", "--weights", os.path.join(DIGITS, f"{network}.safetensors"), "--out", folder]
            report(f"{network}: start to first answer", [1e3 * t for t in durations(words, 50)], START_MILLISECONDS, "ms")


def main():
    if len(sys.argv) == 4 and sys.argv[2] in rows.ROWS:
        answer(sys.argv[1], rows.ROWS[sys.argv[2]], sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build"))
    promises(parser.parse_args().build)


if __name__ == "__main__":
    main()
