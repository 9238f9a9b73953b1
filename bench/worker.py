"""One contender in a process of its own, driven line by line: `{"load": ROW}` checks a result, `{"run": SECONDS}` times calls.

    python worker.py CONTENDER THREADS BUILD

The contender `judge` answers `{"prepare": ROW}`: it makes what the row needs (prepare.py).
"""
import json
import os
import sys
import time

import arrays
import ours
import peers
import prepare
import rows
import training_peers


def sample(call, seconds):
    """Milliseconds of single calls; calls shorter than the clock is fair for are timed in groups of about 50 us."""
    clock = time.perf_counter
    start = clock()
    call()
    first = clock() - start
    if first > 2 * seconds:   # too long to be repeated: this was warm enough
        return [first * 1e3]
    group = max(1, int(50e-6 / max(first, 1e-7)))
    times, end = [], clock() + seconds
    while not times or clock() < end:
        before = clock()
        for _ in range(group):
            call()
        times.append((clock() - before) * 1e3 / group)
    return times


class Worker:
    def __init__(self, name, threads, build):
        self.name, self.threads, self.build = name, threads, build
        self.contenders, self.call = {}, None

    def load(self, command):
        row = rows.ROWS[command["load"]]
        self.call = None
        if row.training not in self.contenders:
            everyone = (training_peers.PEERS if row.training else peers.PEERS) | {"nacre": ours.Nacre}
            self.contenders[row.training] = everyone[self.name](self.threads, self.build)
        contender = self.contenders[row.training]
        answers, reply = prepare.expected(self.build, row), {}
        if self.name == "nacre":
            weights, fresh = prepare.weights(self.build, row), command.get("fresh", True)
            if row.training:
                self.call, results, seconds = contender.load_training(row, weights, fresh)
            else:
                self.call, results, seconds = contender.load(row, weights, answers, fresh)
            reply["build_s"] = seconds
        else:
            self.call, results = contender.load(row)
            reply["note"] = contender.note
        if not row.training:
            self.call()
        return reply | {"error": arrays.relative_error(results(), answers)}

    def answer(self, command):
        if "prepare" in command:
            row = rows.ROWS[command["prepare"]]
            problem = prepare.prepare(self.build, row)
            return {"problem": problem, "operations": prepare.description(self.build, row)["operations"]}
        if "load" in command:
            return self.load(command)
        own = getattr(self.call, "sample", None)
        return {"times": own(command["run"]) if own else sample(self.call, command["run"])}


def main():
    replies = os.fdopen(os.dup(1), "w", buffering=1)   # libraries may print; the replies keep their own stream
    os.dup2(2, 1)
    worker = Worker(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    for line in sys.stdin:
        try:
            reply = worker.answer(json.loads(line))
        except Exception as problem:   # a contender that cannot run a row is left out of it, and named
            text = f"{type(problem).__name__}: {problem}".strip().splitlines()
            reply = {"failed": text[0][:300]}
        replies.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
    os._exit(0)   # threads of a library may still be alive
