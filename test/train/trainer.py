"""The scenes of digits.test: trainer.py SCENE ARGUMENTS, in the folder of the test."""
import gzip
import json
import os
import signal
import subprocess
import sys
import time

import numpy


def content(path):
    with open(path, "rb") as f:
        return f.read()


def images(data):
    table = numpy.loadtxt(gzip.open(os.path.join(data, "digits.csv.gz")), delimiter=",")[:256]
    numpy.save("images.npy", (table[:, :64] / 16).astype("float32"))
    numpy.save("labels.npy", table[:, 64].astype("int32"))


def accuracy(trained, evaluated):
    """Training, `eval` and `run` agree, and a short run has learnt something."""
    with open(trained) as f:
        last = json.load(f)
    with open(evaluated) as f:
        result = json.load(f)
    guess = numpy.load("result.npy").argmax(axis=1)
    assert (guess == numpy.load("labels.npy")).mean() > 0.85
    for name in "validate.loss", "validate.accuracy", "validate.confusion":
        assert result[name] == last[name], name
    matrix = numpy.array(result["validate.confusion"])
    assert abs(result["accuracy"] - numpy.trace(matrix) / matrix.sum()) < 1e-12
    assert abs(result["validate.accuracy"] - result["accuracy"]) < 1e-6 and result["accuracy"] > 0.85


def agree(*runs):
    """The same training by other programs: to what rounding leaves after a few hundred steps."""
    results = []
    for run in runs:
        with open(run) as f:
            results.append(json.load(f))
    for result in results:
        for name in "loss", "validate.loss":
            assert abs(result[name] - results[0][name]) < 2e-3 * results[0][name], (name, results)
    assert results[0]["validate.accuracy"] > 0.5, results[0]


def interrupted(data):
    """Ctrl-C at several moments; the resumed run ends with the weights of the undisturbed one."""
    words = ["./digits", "train", "fit", "--data-dir", data, "--out", "part.safetensors", "--epochs", "40", "--quiet"]
    subprocess.run(["./digits", "train", "fit", "--data-dir", data, "--out", "whole.safetensors", "--epochs", "40", "--quiet"],
                   check=True, stdout=subprocess.DEVNULL)
    stopped = 0
    for delay in 0.03, 0.06, 0.1, 0.15:
        resume = ["--resume", "part.train"] if os.path.exists("part.train") else []
        process = subprocess.Popen(words + resume, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        text = process.communicate()[1]
        assert process.returncode in (0, 130, -signal.SIGINT), text
        stopped += process.returncode == 130
    if not os.path.exists("part.safetensors") or os.path.exists("part.train"):
        resume = ["--resume", "part.train"] if os.path.exists("part.train") else []
        subprocess.run(words + resume, check=True, stdout=subprocess.DEVNULL)
    assert content("part.safetensors") == content("whole.safetensors")


def signalled(nacre, file, data):
    """`nacre train` passes on what is sent to it alone, and is not confused when the trainer gets it too; the run that goes
    on ends as one that was never stopped."""
    words = [nacre, "train", file, "fit", "--data-dir", data, "--out", "told.safetensors"]
    for which, group in (signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGINT, True):
        process = subprocess.Popen([*words, "--epochs", "100000", "--log", "told.jsonl"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)
        lines = [process.stderr.readline()]
        assert lines[0].startswith("fit  epoch"), lines
        if group:
            os.killpg(process.pid, which)
        else:
            process.send_signal(which)
        text = process.communicate()[1]
        assert process.returncode == 130, (process.returncode, text[-500:])
        assert f"nacre train {file} fit --resume told.train --out told.safetensors --data-dir {data}" in text, text[-500:]
        done = text.count("fit  epoch") + 3
        subprocess.run([*words, "--epochs", str(done), "--resume", "told.train", "--quiet"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*words[:-1], "all.safetensors", "--epochs", str(done), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        assert content("told.safetensors") == content("all.safetensors"), which


def sweeping(nacre, file, data):
    words = [nacre, "sweep", file, "-o", "told", "--jobs", "2", "--epochs", "100000", "--data-dir", data]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    logs = [f"told/trial-00{i}/log.jsonl" for i in (1, 2)]
    end = time.time() + 60
    while not all(os.path.exists(log) and b'"epoch"' in content(log) for log in logs):
        assert time.time() < end, "it took too long"
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    text = process.communicate()[1]
    assert process.returncode == 130 and "stopped with 0 of 4 trials done; the same command goes on" in text, (process.returncode, text)
    assert os.path.exists("told/trial-001/weights.train") and os.path.exists("told/trial-002/weights.train")
    done = max(json.loads(line)["epoch"] for line in content(logs[0]).decode().splitlines() if '"event": "epoch"' in line)
    words[words.index("100000")] = str(int(done) + 50)
    again = subprocess.run([*words, "--trials", "1"], capture_output=True, text=True, check=True)
    assert again.stdout.startswith("rank  validate.accuracy"), again.stdout
    assert b'"resume"' in content(logs[0])


globals()[sys.argv[1]](*sys.argv[2:])
