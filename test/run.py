"""Runs every test and ends with the line `N passed, N failed`: lit (test/ and the tests inside stdlib/), CTest (C and C++
programs), the format check. A test that lit or CTest skipped is listed, so that nothing is skipped unseen.

    python test/run.py --build build [FILTER]      FILTER: a regular expression over test names
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import format as source_format  # noqa: E402

LIT_GOOD = {"PASS", "XFAIL", "FLAKYPASS"}
LIT_SKIPPED = {"UNSUPPORTED", "SKIPPED", "EXCLUDED"}


def cache_value(build, name):
    with open(os.path.join(build, "CMakeCache.txt")) as f:
        return next(line.split("=", 1)[1].strip() for line in f if line.startswith(name + ":"))


def run_lit(build, pattern):
    """{test name: (verdict, output)}; verdict is passed, failed or skipped."""
    lit = os.path.join(cache_value(build, "NACRE_LLVM_TOOLS"), "lit")
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "lit.json")
        command = [sys.executable, lit, "--no-progress-bar", "--quiet", "--timeout", "300", "--output", report,
                   "--allow-empty-runs", *(["--filter", pattern] if pattern else []),
                   os.path.join(build, "test"), os.path.join(build, "test", "stdlib")]
        subprocess.run(command, stdout=subprocess.DEVNULL)
        if not os.path.exists(report):
            return {"lit": ("failed", "lit itself did not finish")}
        with open(report) as f:
            tests = json.load(f)["tests"]
    return {t["name"]: ("passed" if t["code"] in LIT_GOOD else "skipped" if t["code"] in LIT_SKIPPED else "failed",
                        t.get("output", "")) for t in tests}


def run_ctest(build, pattern):
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "ctest.xml")
        command = ["ctest", "--test-dir", build, "--quiet", "--parallel", str(os.cpu_count()), "--output-junit", report,
                   *(["--tests-regex", pattern] if pattern else [])]
        subprocess.run(command, stdout=subprocess.DEVNULL)
        if not os.path.exists(report):
            return {}
        cases = ElementTree.parse(report).getroot().iter("testcase")
        verdicts = {"run": "passed", "fail": "failed"}
        return {f"ctest :: {c.get('name')}": (verdicts.get(c.get("status"), "skipped"), c.findtext("system-out") or "")
                for c in cases}


def run_format(build):
    messages, count = source_format.check(build)
    results = {f"format :: {m.split(':')[0]}": ("failed", m) for m in messages}
    if not messages:
        results[f"format :: {count} files"] = ("passed", "")
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("filter", nargs="?", default="")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    results = run_lit(build, options.filter)
    results |= run_ctest(build, options.filter)
    if not options.filter or re.search(options.filter, "format"):
        results |= run_format(build)
    failed = sorted(name for name, (verdict, _) in results.items() if verdict == "failed")
    skipped = sorted(name for name, (verdict, _) in results.items() if verdict == "skipped")
    for name in failed:
        print(f"---- {name}\n{results[name][1].rstrip()[-6000:]}")
    for title, names in ("skipped", skipped), ("failed", failed):
        if names:
            print(f"{title}:\n  " + "\n  ".join(names))
    sys.stderr.flush()
    print(f"{len(results) - len(failed) - len(skipped)} passed, {len(failed)} failed", flush=True)
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
