"""The scenes of train.test: train_runs.py SCENE ARGUMENTS, in the folder that `files` has filled."""
import html.parser
import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
import time


def files(folder):
    def rows(first, count):
        out = []
        for i in range(first, first + count):
            a, b = (i * 37 % 41) / 20 - 1, (i * 53 % 43) / 21 - 1
            out.append(f"{a:g},{b:g},{int(a + 0.5 * b > 0.1)}\n")
        return out
    for name, first, count in ("train.csv", 0, 43), ("check.csv", 100, 22):
        with open(os.path.join(folder, name), "w") as f:
            f.writelines(rows(first, count))


def run(program, *words, expect=0, **options):
    done = subprocess.run([program, "train", *words], capture_output=True, text=True, **options)
    assert done.returncode == expect, (words, done.returncode, done.stderr)
    return done


def content(path):
    with open(path, "rb") as f:
        return f.read()


class Page(html.parser.HTMLParser):
    """Well-formed, and asking for nothing outside itself."""
    void = {"meta", "img", "line", "circle", "path", "br", "!doctype"}

    def __init__(self):
        super().__init__()
        self.open, self.counts = [], {}

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        for name, value in attributes:
            assert name not in ("src", "href") or value.startswith("data:image/png;base64,"), (tag, value)
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open and self.open[-1] == tag, (tag, self.open)
            self.open.pop()


def page(report, log):
    text = content(report).decode()
    parser = Page()
    parser.feed(text)
    assert not parser.open, parser.open
    assert "http" not in text and "@import" not in text
    assert parser.counts["svg"] >= 3 and parser.counts["img"] == 4, parser.counts   # loss, rate, accuracy; a batch of pictures
    import base64
    import zlib
    picture = base64.b64decode(text.split("base64,")[1].split('"')[0])
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    at, data = 8, b""
    while at < len(picture):
        size, kind = int.from_bytes(picture[at:at + 4], "big"), picture[at + 4:at + 8]
        assert zlib.crc32(picture[at + 4:at + 8 + size]) == int.from_bytes(picture[at + 8 + size:at + 12 + size], "big")
        data += picture[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    assert len(zlib.decompress(data)) == 4 * 5
    lines = [json.loads(line) for line in content(log).decode().splitlines()]
    assert [line["event"] for line in lines] == ["start"] + ["epoch"] * 6 + ["end"], lines
    assert lines[0]["samples"] == 43 and lines[0]["seed"] == 7 and lines[-1]["reason"] == "finished"
    assert lines[6]["loss"] < lines[1]["loss"] and lines[6]["iteration"] == 60 and lines[6]["epoch"] == 5


def scores(evaluation, log):
    result = json.loads(content(evaluation))
    last = [json.loads(line) for line in content(log).decode().splitlines()][-2]
    matrix = result["validate.confusion"]
    assert matrix == last["validate.confusion"] and result["validate.loss"] == last["validate.loss"]
    assert sum(map(sum, matrix)) == 22
    accuracy = (matrix[0][0] + matrix[1][1]) / 22
    precision = [matrix[c][c] / max(1, matrix[0][c] + matrix[1][c]) for c in (0, 1)]
    recall = [matrix[c][c] / max(1, sum(matrix[c])) for c in (0, 1)]
    f1 = [2 * p * r / (p + r) if p + r else 0 for p, r in zip(precision, recall)]
    for name, value in ("accuracy", accuracy), ("precision", sum(precision) / 2), ("recall", sum(recall) / 2), ("f1", sum(f1) / 2):
        assert math.isclose(result[name], value, rel_tol=1e-9), (name, result[name], value)


def wait_for(condition, seconds=30):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "it took too long"
        time.sleep(0.005)


def stop(program):
    """Ctrl-C ends after the step with a checkpoint, and says how to go on; that ends where an undisturbed run ends."""
    run(program, "fit", "--data-dir", ".", "--out", "whole.safetensors", "--quiet")
    for which in signal.SIGINT, signal.SIGTERM:
        p = subprocess.Popen([program, "train", "fit", "--data-dir", ".", "--out", "part.safetensors", "--log", "part.jsonl"],
                             stderr=subprocess.PIPE, text=True, env={**os.environ, "FAKE_SLOW": "20000"})
        wait_for(lambda: os.path.exists("part.jsonl") and b"epoch\"," in content("part.jsonl"))
        p.send_signal(which)
        text = p.communicate()[1]
        assert p.returncode == 130, (p.returncode, text)
        assert "train fit --resume part.train --out part.safetensors --data-dir ." in text, text
        assert not os.path.exists("part.safetensors")
        run(program, "fit", "--data-dir", ".", "--out", "part.safetensors", "--resume", "part.train", "--quiet", "--log", "part.jsonl")
        assert content("part.safetensors") == content("whole.safetensors")
        assert not os.path.exists("part.train"), "the run's own checkpoint goes when it is finished"
        events = [json.loads(line)["event"] for line in content("part.jsonl").decode().splitlines()]
        assert events.count("epoch") == 6 and events.count("resume") == 1, events
        os.remove("part.safetensors")
        os.remove("part.jsonl")


def early(program):
    """Gives up after two epochs without a smaller loss; the best weights are kept; a resumed run gives up as well."""
    done = run(program, "stopping", "--data-dir", ".", "--log", "early.jsonl")
    assert "stopped early" in done.stderr and "(the best epoch)" in done.stderr, done.stderr
    rows = [json.loads(line) for line in content("early.jsonl").decode().splitlines()]
    loss = [r["validate.loss"] for r in rows if r["event"] == "epoch"]
    rates = [r["learning_rate"] for r in rows if r["event"] == "epoch"]
    drops = sum(b < a for a, b in zip(rates, rates[1:]))
    assert drops >= 2 and math.isclose(rates[-1], 0.05 * 0.8 ** drops, rel_tol=1e-5), rates    # plateaus, over a resumed run too
    assert 10 < len(loss) == loss.index(min(loss)) + 3, loss
    out = subprocess.run([program, "eval", "stopping", "--data-dir", ".", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(out.stdout)["validate.loss"] == min(loss), (out.stdout, loss)
    before = content("out/best.safetensors")
    again = run(program, "stopping", "--data-dir", ".", "--log", "early2.jsonl")    # `resume: .. optional` finds its checkpoint
    assert "goes on after iteration" in again.stderr and content("out/best.safetensors") == before


def full(program):
    """No room for the file: an error that says so, and the file that was there is untouched."""
    run(program, "fit", "--data-dir", ".", "--out", "room.safetensors", "--quiet", "--epochs", "1")
    before = content("room.safetensors")

    def small():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    done = run(program, "fit", "--data-dir", ".", "--out", "room.safetensors", "--quiet", expect=1, preexec_fn=small)
    assert "cannot write room.safetensors: File too large" in done.stderr, done.stderr
    assert content("room.safetensors") == before and not os.path.exists("room.safetensors.partial")
    done = run(program, "fit", "--data-dir", ".", "--out", "/dev/null/w.safetensors", "--quiet", expect=1)
    assert "error: cannot" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    done = run(program, "fit", "--data-dir", ".", "--log", "/dev/full", "--quiet", expect=1)
    assert "cannot write /dev/full: No space left on device" in done.stderr, done.stderr


def kill(program):
    """kill -9 again and again: whatever lies there can be gone on from, and the end is the same."""
    words = ["stopping", "--data-dir", ".", "--quiet", "--epochs", "30"]
    for name in os.listdir("out") if os.path.isdir("out") else []:
        os.remove(os.path.join("out", name))
    run(program, *words, "--out", "whole.safetensors", "--log", "whole.jsonl")
    os.remove("out/stopping.train")
    draws = random.Random(1)
    for _ in range(12):
        p = subprocess.Popen([program, "train", *words, "--out", "killed.safetensors"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             text=True, env={**os.environ, "FAKE_SLOW": "500"})
        try:
            p.wait(timeout=draws.uniform(0.05, 0.4))
        except subprocess.TimeoutExpired:
            p.kill()
        text = p.communicate()[1]
        assert p.returncode in (0, -signal.SIGKILL), text
    run(program, *words, "--out", "killed.safetensors")
    assert content("killed.safetensors") == content("whole.safetensors")


def folds(program):
    """A cross-validation, killed and interrupted again and again, ends as one that was not: weights, values, report."""
    words = ["folded", "--data-dir", ".", "--json"]
    whole = json.loads(run(program, *words, "--out", "whole.safetensors", "--quiet").stdout)
    assert whole["folds"] == 3 and len(whole["validate.loss"]["values"]) == 3
    values = whole["validate.accuracy"]["values"]
    mean = sum(values) / 3
    assert math.isclose(whole["validate.accuracy"]["mean"], mean)
    assert math.isclose(whole["validate.accuracy"]["deviation"], math.sqrt(sum((v - mean) ** 2 for v in values) / 2))
    text = content("whole.html").decode()
    parser = Page()
    parser.feed(text)
    assert not parser.open and parser.counts["svg"] == 4 and text.count("<i style") == 4 * 3, parser.counts
    assert f"<td>{mean:.6g}</td>" in text and "deviation" in text
    for part in "samples", "precision":    # every sample is held back once
        assert part in text
    os.remove("out/folded.train")
    draws, resume, killed = random.Random(2), [], 0
    for round in range(40):
        p = subprocess.Popen([program, "train", *words, "--out", "part.safetensors", *resume], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True, env={**os.environ, "FAKE_SLOW": "8000"})    # 84 steps: 0.67 s at least
        try:
            p.wait(timeout=draws.uniform(0.05, 0.25) + 0.02 * round)    # on a busy machine, too, an epoch is done at last
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGKILL if round % 3 else signal.SIGINT)
        out, text = p.communicate()
        assert p.returncode in (0, 130, -signal.SIGKILL, -signal.SIGINT), (p.returncode, text)
        if p.returncode == 130:
            assert "train folded --resume out/folded.train --out part.safetensors --data-dir ." in text, text
        if os.path.exists("out/folded.train"):
            resume = ["--resume", "out/folded.train"]
        killed += p.returncode != 0
        if p.returncode == 0:
            break
    assert p.returncode == 0 and killed >= 2, killed
    again = json.loads(out)
    assert again == whole, (again, whole)
    for fold in 1, 2, 3:
        assert content(f"part.fold{fold}.safetensors") == content(f"whole.fold{fold}.safetensors"), fold
    assert content("part.fold1.safetensors") != content("part.fold2.safetensors")
    assert not [name for name in os.listdir("out") if name.startswith("folded.fold")]
    done = run(program, *words, "--out", "part.safetensors", "--resume", "out/folded.train", "--quiet")   # nothing is left to do
    assert json.loads(done.stdout) == whole
    done = run(program, *words, "--seed", "5", "--resume", "out/folded.train", expect=1)
    assert "it was made with another seed (0 there, 5 here)" in done.stderr, done.stderr
    done = run(program, *words, "--resume", "part.fold1.safetensors", expect=1)
    assert "it is no record of a cross-validation" in done.stderr, done.stderr


def mistakes(program):
    cases = [   # words, exit code, part of the message
        (["nothing"], 2, "fake has no train block `nothing`; it has `fit`"),
        (["fit", "walk"], 2, "`walk` is not a flag, and fit is already the block"),
        (["fit", "--epochs", "0"], 2, "--epochs needs a number from 1 to"),
        (["fit", "--epochs", "2", "--steps", "3"], 2, "exclude each other"),
        (["fit", "--flag"], 2, "unknown flag `--flag`"),
        (["fit", "--out"], 2, "--out needs a value (FILE)"),
        (["fit", "--quiet=1"], 2, "--quiet takes no value"),
        (["--out", "x.safetensors"], 2, "which train block? fake has 7"),
        (["fit", "--data-dir", "nowhere"], 1, "nowhere/train.csv"),
        (["fit", "--data-dir", ".", "--resume", "train.csv"], 1, "train.csv is no safetensors file"),
        (["fit", "--data-dir", ".", "--weights", "train.csv"], 1, "train.csv is no safetensors file"),
        (["folded", "--data-dir", ".", "--resume", "a.train"], 1, "a.train"),
    ]
    for words, code, part in cases:
        done = run(program, *([] if "--quiet=1" in words else ["--quiet"]), *words, expect=code)
        assert part in done.stderr, (words, done.stderr)
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    done = subprocess.run([program, "eval", "fit", "--data-dir", "x", "--epochs", "3"], capture_output=True, text=True)
    assert done.returncode == 2 and "--epochs belongs to" in done.stderr
    os.makedirs("empty", exist_ok=True)
    done = subprocess.run([program, "eval", "fit", "--data-dir", ".."], capture_output=True, text=True, cwd="empty")
    assert done.returncode == 1 and "give --weights FILE" in done.stderr, done.stderr


globals()[sys.argv[1]](*sys.argv[2:])
