"""Compares what a tool printed with the text expected by a test.

    %nacre check %s 2>&1 | %golden %s
    %golden --update FILE          (or NACRE_GOLDEN=update in the environment) rewrites the expectation

The expectation is a block at the end of the test: a line `#: expected`, then lines beginning with `#| `. Paths below the
folder of the test, below lit's folder for temporary files and below the library are shortened, so that the text does not
depend on where the checkout stands. The block itself never appears in what is compared with, because a diagnostic shows
only lines that it marks.
"""

import argparse
import difflib
import os
import re
import sys

MARK = "#: expected"


def shortened(text, test):
    """Paths to the folder of the test vanish, as do temporary folders; the library becomes std/."""
    here = os.path.dirname(os.path.abspath(test))
    source = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    text = re.sub(r"/[^\s`'\"]*/share/nacre/stdlib/", "std/", text)  # the library beside an installed command, first:
    # a build folder may lie inside the source tree
    for folder, short in ((here, ""), (os.path.join(source, "stdlib"), "std/"), (source, "")):
        text = text.replace(folder + os.sep, short)
    name = re.escape(os.path.basename(test))
    return re.sub(r"[^\s`'\"]*/Output/(?=" + name + r"\.tmp)", "", text)


def expectation(test):
    """The lines before the block, and the expected text."""
    with open(test, encoding="utf-8", errors="surrogateescape", newline="") as file:
        lines = file.read().split("\n")
    if MARK not in lines:
        return lines, None
    at = lines.index(MARK)
    expected = [line[3:] if line.startswith("#| ") else line[2:] for line in lines[at + 1 :] if line.startswith("#|")]
    return lines[:at], expected


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test")
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()

    text = shortened(sys.stdin.buffer.read().decode("utf-8", "replace"), arguments.test)
    actual = text.rstrip("\n").split("\n")
    before, expected = expectation(arguments.test)
    if arguments.update or os.environ.get("NACRE_GOLDEN") == "update":
        while before and not before[-1].strip():
            before.pop()
        block = [MARK] + [("#| " + line).rstrip() for line in actual]
        with open(arguments.test, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write("\n".join(before + [""] + block) + "\n")
        return 0
    if expected is None:
        print(f"{arguments.test}: no `{MARK}` block; test/update.py writes it")
        return 1
    actual = [line.rstrip() for line in actual]
    expected = [line.rstrip() for line in expected]
    if actual == expected:
        return 0
    for line in difflib.unified_diff(expected, actual, "expected", "printed", lineterm=""):
        print(line)
    return 1


if __name__ == "__main__":
    sys.exit(main())
