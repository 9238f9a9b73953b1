"""Rewrites the expected text of golden tests from what the tools print now; review the result with `git diff`.

    python3 test/update.py [--build DIR] [FILE or FOLDER ..]      default: every test with a golden
"""

import argparse
import os
import subprocess
import sys

ROOM = os.path.dirname(os.path.abspath(__file__))


def golden_tests(paths):
    for path in paths:
        if os.path.isfile(path):
            yield path
        for folder, _, names in os.walk(path):
            for name in sorted(names):
                test = os.path.join(folder, name)
                if not name.endswith((".nacre", ".test")):
                    continue
                with open(test, encoding="utf-8", errors="replace") as file:
                    if any("RUN:" in line and "%golden" in line for line in file):
                        yield test


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(os.path.dirname(ROOM), "build"))
    parser.add_argument("paths", nargs="*", default=[ROOM])
    arguments = parser.parse_args()
    tests = sorted(set(map(os.path.abspath, golden_tests(arguments.paths))))
    if not tests:
        print("no golden tests there")
        return 1
    build = os.path.abspath(arguments.build)
    # lit runs the files at the places where its configuration of the build knows them
    inside = [os.path.join(build, "test", os.path.relpath(test, ROOM)) for test in tests]
    with open(os.path.join(build, "CMakeCache.txt")) as file:
        tools = next(line.split("=", 1)[1].strip() for line in file if line.startswith("NACRE_LLVM_TOOLS:"))
    environment = dict(os.environ, NACRE_GOLDEN="update")
    return subprocess.call([sys.executable, os.path.join(tools, "lit"), "-q", *inside], env=environment)


if __name__ == "__main__":
    sys.exit(main())
