"""Runs the snippets of LANGUAGE.md. The word behind ``` says what must become of them:

    nacre                 checks without an error
    nacre error KIND      is refused for that reason, and for no other
    nacre refused         parses, and the checker says that it is not supported yet

    python language_page.py PAGE FRONT-END LIBRARY
"""
import json
import os
import re
import subprocess
import sys
import tempfile

FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def kinds(run):
    return {d["kind"] for d in json.loads(run.stderr) if d["severity"] == "error"}


def main(page, front, library):
    with open(page, encoding="utf-8") as f:
        text = f.read()
    snippets = [(text[: m.start()].count("\n") + 1, m[2].split(), m[3]) for m in FENCE.finditer(text) if m[1] == "nacre"]
    failures = 0 if len(snippets) > 8 else 1
    with tempfile.TemporaryDirectory() as folder:
        for line, words, body in snippets:
            path = os.path.join(folder, "snippet.nacre")
            with open(path, "w", encoding="utf-8") as f:
                f.write(body)
            parsed = subprocess.run([front, "ast", path], capture_output=True, text=True)
            checked = subprocess.run([front, "check", "--library=" + library, "--diagnostics=json", path],
                                     capture_output=True, text=True)
            expected = {"error": set(words[1:]), "refused": {"not-supported"}}.get(words[0], None) if words else set()
            if parsed.returncode != 0 or kinds(checked) != expected:
                failures += 1
                found = subprocess.run([front, "check", "--library=" + library, path], capture_output=True, text=True).stderr
                print(f"{page}:{line}: expected {sorted(expected) or 'no error'}\n{parsed.stderr or found}")
    print(f"{len(snippets)} snippets, {failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
