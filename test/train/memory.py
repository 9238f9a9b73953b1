"""What a run takes from the machine against what `nacre inspect --train` said: memory.py NACRE FILE, in an empty folder.

The process's largest resident set lies within a tenth of weights + state + arena + binary; the arena has the size that was
printed, and no more than is alive at once; parameters and states exist once, in a fresh run and in one that resumes.
"""
import json
import os
import subprocess
import sys

import numpy


def peak(command):
    """Bytes of the largest resident set of a command."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return usage.ru_maxrss * 1024


def compare(command, planned, binary, parameters):
    resident, said = peak(command), planned["weights"] + planned["state"] + planned["arena"] + binary
    print(f"{' '.join(command)}: {resident:,} bytes, {said:,} planned: {resident / said:.3f}")
    assert 0.95 * said <= resident <= 1.10 * said
    with open("log.jsonl") as f:
        start = [json.loads(line) for line in f if '"arena"' in line][-1]
    assert start["arena"] == planned["arena"], start
    assert planned["weights"] == 4 * parameters and planned["state"] >= 2 * planned["weights"]


def main():
    nacre, file = sys.argv[1:]
    random = numpy.random.default_rng(0)
    numpy.save("x.npy", random.standard_normal((64, 64)).astype(numpy.float32))
    numpy.save("label.npy", random.integers(0, 10, 64).astype(numpy.int32))
    planned = json.loads(subprocess.run([nacre, "inspect", "--train", "--json", file], check=True, capture_output=True).stdout)[0]
    assert planned["peak"] >= 200e6
    assert planned["arena"] == max(planned["functions"].values())
    for name, bytes in planned["functions"].items():
        assert planned["alive"][name] <= bytes <= 1.05 * planned["alive"][name], (name, bytes, planned["alive"][name])
    # Neither a gradient nor a transposed copy of a weight exists as a whole.
    assert planned["arena"] < planned["weights"] / 4, planned

    subprocess.run([nacre, "build", file, "-o", "wide", "--cpu=native"], check=True)
    parameters = 4096 * 65 + 4096 * 4097 + 10 * 4097
    words = ["./wide", "train", "fit", "--data-dir", ".", "--quiet", "--log", "log.jsonl"]
    compare(words, planned, os.path.getsize("wide"), parameters)
    compare([*words, "--resume", "wide.train", "--epochs", "2"], planned, os.path.getsize("wide"), parameters)


main()
