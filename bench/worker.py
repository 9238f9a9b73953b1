"""One contender in a process of its own, driven line by line: `{"load": NAME}` checks a result, `{"run": SECONDS}` times calls.

    python worker.py CONTENDER THREADS BUILD

The contender `reference` answers `{"reference": NAME}` with the losses in f64, which are worked out once for everyone and
come back with `load`.
"""
import json
import os
import sys
import time

import numpy as np

import ours
import peers
import training
import workloads


def sample(call, seconds):
    """Milliseconds of single calls; calls shorter than the clock is fair for are timed in groups of about 50 us."""
    clock = time.perf_counter
    start = clock()
    call()
    group = max(1, int(50e-6 / max(clock() - start, 1e-7)))
    times, end = [], clock() + seconds
    while not times or clock() < end:
        before = clock()
        for _ in range(group):
            call()
        times.append((clock() - before) * 1e3 / group)
    return times


def main():
    name, threads, build = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    replies = os.fdopen(os.dup(1), "w", buffering=1)   # libraries may print; the replies keep their own stream
    os.dup2(2, 1)
    everyone = peers.PEERS | training.PEERS | {"nacre": lambda count: ours.Nacre(count, build), "reference": lambda count: None}
    contender, call = None, None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            contender = contender or everyone[name](threads)
            if "reference" in command and "load" not in command:
                reply = {"reference": training.WORKLOADS[command["reference"]].reference().tolist()}
            elif "load" in command:
                workload = (workloads.WORKLOADS | training.WORKLOADS)[command["load"]]
                call, result = contender.load(workload)
                call()
                reference = np.array(command["reference"]) if "reference" in command else workload.reference()
                got = np.asarray(result()).reshape(reference.shape)
                reply = {"error": float(np.abs(got - reference).max() / np.abs(reference).max())}
            else:
                reply = {"times": sample(call, command["run"])}
        except Exception as problem:   # a contender that cannot run a workload is left out of its row, and named
            reply = {"failed": f"{type(problem).__name__}: {problem}".strip().splitlines()[0][:300]}
        replies.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
