"""Formatting of the tree: C and C++ by clang-format, .nacre by the formatter of `nacre fmt`. Lists what differs, or rewrites it (--write).

test/run.py calls check() so that an unformatted file is a failed test.
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLANG_FORMAT = os.environ.get("CLANG_FORMAT", "clang-format-22")


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
                         cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return sorted(f for f in out.split("\0") if f and os.path.exists(os.path.join(ROOT, f)))


def c_files():
    return tracked("*.c", "*.h", "*.cpp")


def nacre_files():
    """Sources meant to be read. Those under test/ may be ugly on purpose (golden errors, the formatter's own input)."""
    return [f for f in tracked("*.nacre") if not f.startswith("test/")]


def differs(command, file, write):
    path = os.path.join(ROOT, file)
    with open(path, encoding="utf-8") as f:
        before = f.read()
    run = subprocess.run([*command, path], cwd=ROOT, capture_output=True, text=True)
    if run.returncode != 0:
        return f"{file}: {run.stderr.strip()}"
    if run.stdout == before:
        return None
    if write:
        with open(path, "w", encoding="utf-8") as f:
            f.write(run.stdout)
    return f"{file}: {'formatted' if write else 'not formatted (make format)'}"


def check(build, write=False):
    """One message per file that is not as its formatter prints it; also how many files were looked at."""
    front = os.path.join(build, "bin", "nacre-front")   # prints the canonical text; `nacre fmt` writes it
    jobs = [([CLANG_FORMAT], f) for f in c_files()]
    if os.path.exists(front):
        jobs += [([front, "fmt"], f) for f in nacre_files()]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        messages = list(pool.map(lambda job: differs(*job, write), jobs))
    return [m for m in messages if m], len(jobs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--write", action="store_true", help="rewrite the files in place")
    options = parser.parse_args()
    messages, count = check(options.build, options.write)
    print("\n".join(messages) if messages else f"{count} files, all formatted")
    sys.exit(1 if messages and not options.write else 0)
