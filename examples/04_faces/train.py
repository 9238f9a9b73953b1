"""Trains the face network from scratch, holds it to its figure, and runs the built program on the held-back patches.

    python train.py [--nacre ../../build/bin/nacre] [--out DIR]
"""
import argparse
import hashlib
import json
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
LEAST = 0.93
DIGEST = "9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c"


def stratify():
    """30 of each kind, drawn by NumPy's PCG64 from seed 0: what data/test_indices.npy holds."""
    random = np.random.Generator(np.random.PCG64(0))
    return np.sort(np.concatenate([random.permutation(100)[:30], 100 + random.permutation(100)[:30]])).astype(np.int32)


def run(program, *arguments):
    done = subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nacre", default=os.path.join(HERE, "..", "..", "build", "bin", "nacre"))
    parser.add_argument("--out", default=os.path.join(HERE, "..", "..", "build", "examples", "faces"))
    options = parser.parse_args()
    out = os.path.abspath(options.out)
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(HERE, "data", "lfw_subset.npy"), "rb") as f:
        assert hashlib.sha256(f.read()).hexdigest() == DIGEST, "data/lfw_subset.npy is not the file that its page names"
    test = np.load(os.path.join(HERE, "data", "test_indices.npy"))
    assert np.array_equal(test, stratify()), "test_indices.npy is not what the seed draws"

    program, weights = os.path.join(out, "faces"), os.path.join(out, "faces.safetensors")
    subprocess.run([options.nacre, "build", "--cpu=native", os.path.join(HERE, "faces.nacre"), "-o", program], check=True)
    common = ["--data-dir", HERE, "--quiet", "--json"]
    measured = run(program, "train", "fit", "--out", weights, *common)
    accuracy = measured["validate.accuracy"]
    print(f"  classifier  {round(accuracy * len(test))} of {len(test)} held-back patches right, {100 * accuracy:.2f} % "
          f"(at least {100 * LEAST:g} %), trained in {measured['seconds']:.1f} s", flush=True)
    assert accuracy >= LEAST, f"{accuracy:.4f} is below {LEAST}"

    # The same weights through the entry: the program as it would be shipped.
    images = np.load(os.path.join(HERE, "data", "lfw_subset.npy"))[test].astype(np.float32)[..., None]
    labels = np.load(os.path.join(HERE, "data", "labels.npy"))[test]
    np.save(os.path.join(out, "image.npy"), images)
    subprocess.run([program, "face", f"image={out}/image.npy", "--weights", f"net={weights}", "--out", out], check=True,
                   stdout=subprocess.DEVNULL)
    again = float((np.load(os.path.join(out, "face.npy")) == (labels == 1)).mean())
    assert abs(again - accuracy) < 1e-6, f"the entry gets {again:.4f} of them right"

    measured = run(program, "train", "triplets", "--out", os.path.join(out, "embedding.safetensors"), *common)
    print(f"  triplets    nearest neighbour of its own kind for {100 * measured['validate.nearest']:.2f} % of held-back patches")
    assert measured["validate.nearest"] >= 0.85, "the embedding does not separate the two kinds"


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, subprocess.CalledProcessError) as problem:
        sys.exit(f"train.py: {problem}")
