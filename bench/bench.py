"""`make bench`: our programs and their peers on the same work in one run; results in BUILD/bench/results.jsonl and as a table.

    python bench/bench.py --build build [--only REGEX] [--threads 1,2] [--peers onnxruntime,torch] [--quick] [--publish]

Every contender runs in a process of its own and they take turns (ROUNDS times), so that a slow moment of the machine meets all of
them; who needs more than PATIENCE times the best peer's time in the first turn sits out the others. A row compares medians over
all turns (with --minima the best calls, for a busy machine) with the best peer: ratio = peer_ms / ours_ms, so 2 is twice as fast
and 0.5 half as fast. `spread` is the larger interquartile range of the two, over the median. A contender whose result is wrong
(error = max |y - reference| / max |reference| against f64) is not compared; one that cannot run a row is named with the reason.
"""
import argparse
import importlib.util
import json
import os
import re
import resource
import select
import subprocess
import sys
import time

import numpy as np

import machine
import report
import rows
import start

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS, SECONDS = 5, 0.2
PATIENCE = 3
ANSWER_SECONDS = 1200   # what compiles may take minutes on a busy machine
MODULES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "torch": "torch", "torch_compile": "torch",
           "iree": "iree.compiler", "jax": "jax"}
INFERENCE, TRAINING = ("torch", "torch_compile", "onnxruntime", "openvino", "iree"), ("torch", "torch_compile", "jax")


class Contender:
    """A worker; it is started when it is first asked, and again after it has died."""

    def __init__(self, name, threads, build):
        self.name, self.threads, self.build, self.process = name, threads, build, None

    def start(self):
        threads = str(self.threads)
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "NACRE_THREADS": threads}
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "worker.py"), self.name, threads, self.build],
                                        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, **command):
        if self.process is None or self.process.poll() is not None:
            self.start()
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            if not select.select([self.process.stdout], [], [], ANSWER_SECONDS)[0]:
                self.process.kill()
                return {"failed": f"no answer within {ANSWER_SECONDS} seconds"}
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"failed": f"its process ended with {self.process.wait()}"}

    def cpu_seconds(self):
        """Of its process and of the children that ended."""
        try:
            with open(f"/proc/{self.process.pid}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
        except (OSError, AttributeError):
            return 0.0
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        if self.process:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
            self.process.wait()


class Load:
    """How many cores everyone but the contenders kept busy."""

    def __init__(self, contenders):
        self.contenders, self.start = contenders, time.perf_counter()
        self.before = self.busy()

    def busy(self):
        with open("/proc/stat") as f:
            ticks = [int(t) for t in f.readline().split()[1:9]]
        launched = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = launched.ru_utime + launched.ru_stime + sum(c.cpu_seconds() for c in self.contenders)
        return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK") - own

    def cores(self):
        return max(0.0, (self.busy() - self.before) / (time.perf_counter() - self.start))


def spread(times):
    return float((np.percentile(times, 75) - np.percentile(times, 25)) / np.median(times))


def load_all(row, contenders, fresh, failed):
    """{name: reply} of those whose result is right."""
    replies = {}
    for contender in contenders:
        command = {"fresh": fresh} if contender.name == "nacre" else {}
        reply = contender.ask(load=row.name, **command)
        if "failed" not in reply and not reply["error"] <= row.tolerance:
            reply = {"failed": f"wrong by {reply['error']:.2g}"}
        if "failed" in reply:
            failed[contender.name] = reply["failed"]
        else:
            replies[contender.name] = reply
    return replies


def take_turns(contenders, options, failed):
    """{name: milliseconds of calls}."""
    times = {contender.name: [] for contender in contenders}
    for turn in range(options.rounds):
        for contender in contenders:
            if contender.name in times:
                reply = contender.ask(run=options.seconds)
                if "failed" in reply:
                    failed[contender.name] = reply["failed"]
                    del times[contender.name]
                else:
                    times[contender.name] += reply["times"]
                time.sleep(0.05)   # threads that spin after their work come to rest
        if turn == 0:
            best = min((min(t) for name, t in times.items() if name != "nacre"), default=0)
            slow = [c.name for c in contenders if c.name in times and c.name != "nacre" and min(times[c.name]) > PATIENCE * best]
            contenders = [c for c in contenders if c.name not in slow]
    return times


def compare(found, times, figure):
    """What a row says of {contender: milliseconds}."""
    each = {name: float(figure(t)) for name, t in times.items()}
    ours = each.pop("nacre")
    best = min(each, key=each.get, default=None)
    return found | {"ours_ms": ours, "peer": best, "peer_ms": each.get(best), "ratio": each[best] / ours if best else None,
                    "spread": max(spread(times["nacre"]), spread(times[best]) if best else 0), "peers_ms": each}


def measure_start(name, names, options, build):
    load = Load([])
    times, memory, failed = start.measure(build, name, names)
    found = {"workload": name, "threads": 1, "failed": failed}
    if "nacre" not in times:
        return found
    return compare(found, times, np.min if options.minima else np.median) | {"mib": memory, "error": 0.0, "others": round(load.cores(), 2)}


def measure(row, threads, contenders, options, operations, fresh):
    """The row of one workload and thread count."""
    failed = {}
    replies = load_all(row, contenders, fresh, failed)
    found = {"workload": row.name, "threads": threads, "failed": failed}
    if "nacre" not in replies:
        return found
    load = Load(contenders)
    times = take_turns([c for c in contenders if c.name in replies], options, failed)
    if "nacre" not in times:
        return found
    found = compare(found, times, np.min if options.minima else np.median)
    found |= {"error": replies["nacre"]["error"], "notes": {name: r["note"] for name, r in replies.items() if r.get("note")},
              "gflops": operations / found["ours_ms"] / 1e6 if operations else None, "others": round(load.cores(), 2)}
    if replies["nacre"]["build_s"]:
        found["build_s"] = replies["nacre"]["build_s"]
    return found


def describe(found):
    if "ours_ms" not in found:
        return f"{found['workload']:30} {found['threads']:7}      failed: {found['failed']['nacre']}"
    line = (f"{found['workload']:30} {found['threads']:7} {found['ours_ms']:10.4f}  {found['peer'] or '-':13} {found['peer_ms'] or 0:10.4f} "
            f"{found['ratio'] or 0:6.2f} {found['spread']:6.2f} {found['error']:8.1e} {found['others']:6.1f}"
            + ("  lost" if report.lost(found) else ""))
    return line + "".join(f"\n    {name} failed: {why}" for name, why in found["failed"].items())


def about(options, names):
    """The record that says how and of what the run was."""
    import importlib.metadata
    packages = {"torch": "torch", "onnxruntime": "onnxruntime", "openvino": "openvino", "iree": "iree-base-compiler", "jax": "jax"}
    versions = {name: importlib.metadata.version(package) for name, package in packages.items() if name in names}
    commit = subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {"run": time.strftime("%Y-%m-%d"), "commit": commit, "figure": "best calls" if options.minima else "medians",
            "rounds": options.rounds, "seconds": options.seconds, "versions": versions}


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build"))
    parser.add_argument("--only", default="", help="regular expression over the names of rows")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--peers", default=",".join(MODULES))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="per turn")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="two turns of a tenth of a second")
    parser.add_argument("--minima", action="store_true", help="compare the best calls instead of medians, on a machine that others use")
    parser.add_argument("--publish", action="store_true", help="also write bench/results/, which the first page shows")
    options = parser.parse_args()
    if options.publish and (options.only or options.quick):
        parser.error("what is published is a whole run, without --only and --quick")
    if options.quick:
        options.rounds, options.seconds = 2, 0.1
    build = os.path.abspath(options.build)
    names = [p for p in options.peers.split(",") if p]
    missing = [p for p in names if find(MODULES[p]) is None]
    if missing:
        print(f"not installed, so not compared: {', '.join(missing)}", file=sys.stderr)
    names = [p for p in names if p not in missing]
    chosen = [row for row in rows.ROWS.values() if re.search(options.only, row.name)]
    counts = [int(t) for t in options.threads.split(",")]
    out = os.path.join(build, "bench", "results.jsonl")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    found = [about(options, names), *(machine.measure(build, threads) for threads in counts)]
    for peak in found[1:]:
        print(machine.describe(peak), flush=True)
    judge = Contender("judge", os.cpu_count(), build)
    contenders = {(name, threads): Contender(name, threads, build) for name in ["nacre", *names] for threads in counts}
    print(f"{'row':30} {'threads':>7} {'ours ms':>10}  {'best peer':13} {'its ms':>10} {'ratio':>6} {'spread':>6} {'error':>8} {'others':>6}")
    begin = time.perf_counter()
    for number, row in enumerate(chosen):
        prepared = judge.ask(prepare=row.name)
        if "failed" in prepared:
            print(f"{row.name}: {prepared['failed']}", flush=True)
            found += [{"workload": row.name, "threads": threads, "failed": {"nacre": "no reference: " + prepared["failed"]}} for threads in counts]
            continue
        for threads in counts:
            beside = [name for name in names if name in (TRAINING if row.training else INFERENCE)]
            taking = [contenders[name, threads] for name in ["nacre", *beside]]
            found.append(measure(row, threads, taking, options, prepared["operations"], fresh=threads == counts[0]))
            print(describe(found[-1]), flush=True)
        elapsed = time.perf_counter() - begin
        print(f"    {number + 1} of {len(chosen)} rows, {clock(elapsed)}, about {clock(elapsed / (number + 1) * (len(chosen) - number - 1))} "
              "to go", file=sys.stderr, flush=True)
        report.write(out, found)
    for contender in contenders.values():
        contender.end()
    for name in start.STARTED:
        if re.search(options.only, name) and "failed" not in judge.ask(prepare=start.STARTED[name]):
            found.append(measure_start(name, [n for n in names if n in INFERENCE], options, build))
            print(describe(found[-1]), flush=True)
            report.write(out, found)
    judge.end()
    for i, peak in enumerate(found):   # the better of two moments
        if "machine" in peak:
            found[i] = machine.better(peak, machine.measure(build, peak["threads"]))
    report.write(out, found)
    text = report.summary(found)
    print(text)
    report.markdown(os.path.join(build, "bench"), found)
    if options.publish:
        report.markdown(os.path.join(HERE, "results"), found)
        report.write(os.path.join(HERE, "results", "results.jsonl"), found)
    print(out)
    sys.exit(0 if all("ours_ms" in row for row in found if "workload" in row) else 1)


def find(module):
    try:
        return importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None


if __name__ == "__main__":
    main()
