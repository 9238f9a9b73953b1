"""`make bench`: our programs and their peers on the same work in one run; results in BUILD/bench/results.jsonl and as a table.

    python bench/bench.py --build build [--only REGEX] [--threads 1,2] [--peers onnxruntime,openvino,torch]

Every contender runs in a process of its own and they take turns (ROUNDS times), so that a slow moment of the machine
meets all of them. A row compares medians over all turns with the best peer: ratio = peer_ms / ours_ms, so 2 is twice
as fast and 0.5 half as fast. `spread` is the larger interquartile range of the two, over the median; `error` is
max |y - reference| / max |reference| of ours against f64, and a contender beyond TOLERANCE is not compared. A peer that
cannot run a workload is named in its row, with the reason, and the others go on.
"""
import argparse
import importlib.util
import json
import os
import re
import select
import subprocess
import sys
import time

import numpy as np

import training
import workloads

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS, TOLERANCE = 5, 1e-4
PATIENCE = 1200   # seconds for an answer; what compiles may take minutes on a busy machine
MODULES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "torch": "torch",
           "torch_eager": "torch", "torch_compile": "torch", "jax": "jax"}   # the last three train


class Contender:
    def __init__(self, name, threads, build):
        self.name = name
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "NACRE_THREADS": str(threads)}
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "worker.py"), name, str(threads), build], env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, **command):
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                self.process.kill()
                return {"failed": f"no answer within {PATIENCE} seconds"}
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"failed": f"its process ended with {self.process.wait()}"}

    def end(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def spread(times):
    return float((np.percentile(times, 75) - np.percentile(times, 25)) / np.median(times))


def losses_in_f64(workload, build, known):
    """What `load` is to be compared with; worked out by a process that then leaves the machine to the others."""
    if isinstance(workload, training.Training) and workload.name not in known:
        judge = Contender("reference", os.cpu_count(), build)
        known[workload.name] = judge.ask(reference=workload.name)
        judge.end()
    return known.get(workload.name, {})


def measure(workload, threads, contenders, seconds, judged):
    """The row of one workload and thread count."""
    times, errors, failed = {}, {}, {}
    for contender in contenders:
        reply = judged if "failed" in judged else contender.ask(load=workload.name, **judged)
        if "failed" not in reply and not reply["error"] <= getattr(workload, "tolerance", TOLERANCE):
            reply = {"failed": f"wrong by {reply['error']:.2g}"}
        if "failed" in reply:
            failed[contender.name] = reply["failed"]
        else:
            errors[contender.name], times[contender.name] = reply["error"], []
    for _ in range(ROUNDS):
        for contender in contenders:
            if contender.name in times and contender.name not in failed:
                reply = contender.ask(run=seconds)
                times[contender.name] += reply.get("times", [])
                if "failed" in reply:
                    failed[contender.name] = reply["failed"]
                    del times[contender.name]
                time.sleep(0.05)   # threads that spin after their work come to rest
    for name, why in failed.items():
        print(f"{workload.name:24} {threads:7} {name} failed: {why}", flush=True)
    if "nacre" in failed:
        return None
    median = {name: float(np.median(t)) for name, t in times.items() if t}
    others = {name: ms for name, ms in median.items() if name != "nacre"}
    best = min(others, key=others.get, default=None)
    row = {"workload": workload.name, "threads": threads, "ours_ms": median["nacre"], "peer": best, "peer_ms": others.get(best),
           "ratio": others[best] / median["nacre"] if best else None,
           "spread": max(spread(times["nacre"]), spread(times[best]) if best else 0), "error": errors["nacre"], "peers_ms": others}
    if failed:
        row["failed"] = failed
    print(f"{workload.name:24} {threads:7} {row['ours_ms']:10.4f}  {best or '-':12} {row['peer_ms'] or 0:10.4f} {row['ratio'] or 0:7.2f} "
          f"{row['spread']:7.2f} {row['error']:8.1e}", flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build"))
    parser.add_argument("--only", default="", help="regular expression over workload names")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--peers", default=",".join(MODULES))
    parser.add_argument("--seconds", type=float, default=0.2, help="per turn")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    names = [p for p in options.peers.split(",") if p]
    missing = [p for p in names if importlib.util.find_spec(MODULES[p]) is None]
    if missing:
        print(f"not installed, so not compared: {', '.join(missing)}", file=sys.stderr)
    chosen = [w for w in [*workloads.WORKLOADS.values(), *training.WORKLOADS.values()] if re.search(options.only, w.name)]
    rows, judged = [], {}
    print(f"{'workload':24} {'threads':>7} {'ours ms':>10}  {'best peer':12} {'its ms':>10} {'ratio':>7} {'spread':>7} {'error':>8}")
    for threads in map(int, options.threads.split(",")):
        trains = {name: name in training.PEERS for name in names if name not in missing}
        contenders = {name: Contender(name, threads, build) for name in ["nacre", *trains]}
        for w in chosen:
            beside = [name for name, does in trains.items() if does == isinstance(w, training.Training)]
            rows.append(measure(w, threads, [contenders[name] for name in ["nacre", *beside]], options.seconds,
                                losses_in_f64(w, build, judged)))
        for contender in contenders.values():
            contender.end()
    good = [row for row in rows if row]
    out = os.path.join(build, "bench", "results.jsonl")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out + ".new", "w") as f:
        f.writelines(json.dumps(row) + "\n" for row in good)
    os.replace(out + ".new", out)
    compared = [row for row in good if row["peer"]]
    print(f"{len(good)} of {len(rows)} rows, ratio {min((r['ratio'] for r in compared), default=0):.2f} at the lowest; {out}")
    sys.exit(0 if len(good) == len(rows) else 1)


if __name__ == "__main__":
    main()
