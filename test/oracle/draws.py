"""What the library draws: first weights are distributed as PyTorch's (goldens/draws.json), pictures change as they should.

    python draws.py NACRE FOLDER

A distribution is compared by the largest difference of the two distribution functions (Kolmogorov and Smirnov). Seeds are
fixed, so a failure is no accident.
"""
import json
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
BOUNDED = {"uniform_within", "fan_in_uniform", "kaiming_uniform", "xavier_uniform", "truncated_normal"}
RUNS = 200
H, W = 9, 8


def call(program, folder, entry, seed, *arguments):
    subprocess.run([program, entry, *arguments, f"seed={seed}", "--out", folder], check=True, stdout=subprocess.DEVNULL)
    return {name[:-4]: np.load(os.path.join(folder, name)) for name in os.listdir(folder) if name.endswith(".npy")}


def weights(program, folder, goldens):
    drawn = call(program, folder, "weights", 1)
    assert set(drawn) == set(goldens), f"drawn are {sorted(drawn)}, goldens {sorted(goldens)}"
    for name, want in goldens.items():
        values = drawn[name].ravel().astype(np.float64)
        share = np.searchsorted(np.sort(values), want["quantiles"]) / values.size
        distance = np.abs(share - np.arange(1, len(share) + 1) / (len(share) + 1)).max()
        print(f"  {name:18} {distance:.4f} apart, deviation {values.std():.5f} (PyTorch {want['deviation']:.5f})")
        assert distance < 1.95 / np.sqrt(values.size) + 0.001, f"{name} is distributed otherwise"   # one in a thousand
        assert abs(values.std() / want["deviation"] - 1) < 0.01, f"{name} has another deviation"
        if name in BOUNDED:
            reach = 1e-3 * (want["high"] - want["low"])
            assert values.min() > want["low"] - reach and values.max() < want["high"] + reach, f"{name} leaves its bounds"
            assert values.min() < want["low"] + reach and values.max() > want["high"] - reach, f"{name} does not reach its bounds"
    x = drawn["orthogonal"].astype(np.float64)
    assert np.abs(x @ x.T - 1.25 ** 2 * np.eye(len(x))).max() < 1e-5, "orthogonal rows are not at right angles"
    again, other = call(program, folder, "weights", 1), call(program, folder, "weights", 2)
    for name in goldens:
        assert np.array_equal(again[name], drawn[name]), f"{name} is not the same for one seed"
        assert abs(np.corrcoef(other[name].ravel(), drawn[name].ravel())[0, 1]) < 0.015, f"{name} is alike for two seeds"


def evenly(name, counts, cells):
    """Pearson's test of equal shares, at three standard deviations and a half."""
    assert len(counts) <= cells, f"{name}: {len(counts)} outcomes of {cells}"
    expected = RUNS / cells
    square = sum((c - expected) ** 2 for c in counts.values()) / expected + expected * (cells - len(counts))
    assert square < cells - 1 + 3.5 * np.sqrt(2 * (cells - 1)), f"{name}: some of {cells} outcomes are rare, {counts}"


def uniformly(name, values, low, high):
    values = np.sort(values)
    assert low <= values[0] and values[-1] <= high, f"{name}: from {values[0]} to {values[-1]}"
    share = (values - low) / (high - low)
    assert np.abs(share - (np.arange(RUNS) + 0.5) / RUNS).max() < 1.95 / np.sqrt(RUNS), f"{name} is not drawn evenly"


def moved(x, down, right):
    out = np.full_like(x, -1)
    out[max(down, 0):H + min(down, 0), max(right, 0):W + min(right, 0)] = \
        x[max(-down, 0):H - max(down, 0), max(-right, 0):W - max(right, 0)]
    return out


def pictures(program, folder):
    """A picture whose channels are the row and the column of a pixel: what stands where says what was drawn."""
    x = np.stack(np.broadcast_arrays(np.arange(H)[:, None], np.arange(W)[None]), -1).astype(np.float32)
    path = os.path.join(folder, "..", "x.npy")
    np.save(path, x)
    counts = {name: {} for name in ("shift", "flip", "crop", "hole")}
    angles, factors, noise = [], [], []
    inner = np.s_[3:6, 3:5]   # pixels that come from inside, however turned or scaled
    from_centre = x - [(H - 1) / 2, (W - 1) / 2]
    for seed in range(RUNS):
        got = call(program, folder, "pictures", seed, f"x={path}")

        def seen(name, key):
            counts[name][key] = counts[name].get(key, 0) + 1

        where = np.argwhere(got["shift"][4, 4, 0] == np.arange(H))[0][0], np.argwhere(got["shift"][4, 4, 1] == np.arange(W))[0][0]
        down, right = 4 - where[0], 4 - where[1]
        assert max(abs(down), abs(right)) <= 2 and np.array_equal(got["shift"], moved(x, down, right)), "random_shift"
        seen("shift", (down, right))
        flipped = np.array_equal(got["flip"], x[:, ::-1])
        assert flipped or np.array_equal(got["flip"], x), "random_flip"
        seen("flip", flipped)
        top, left = got["crop"][0, 0].astype(int)
        assert np.array_equal(got["crop"], x[top:top + 6, left:left + 5]), "random_crop"
        seen("crop", (top, left))
        holes = np.argwhere((got["hole"] == -1).all(-1))
        (top, left), want = holes[0], x.copy()
        want[top:top + 3, left:left + 3] = -1
        assert len(holes) == 9 and np.array_equal(got["hole"], want), "random_cut_out"
        seen("hole", (top, left))
        turned = got["turn"] - [(H - 1) / 2, (W - 1) / 2]   # (row, column) = turn of (row, column) about the centre
        s, c = turned[4, 5, 0] - turned[4, 4, 0], turned[4, 5, 1] - turned[4, 4, 1]
        angles.append(np.degrees(np.arctan2(s, c)))
        assert abs(s * s + c * c - 1) < 1e-4 and np.allclose(turned[inner], from_centre[inner] @ np.array([[c, -s], [s, c]]), atol=1e-4), \
            "random_rotate"
        step = got["size"][4, 5, 1] - got["size"][4, 4, 1]
        factors.append(1 / step)
        assert np.allclose(got["size"][inner] - [(H - 1) / 2, (W - 1) / 2], step * from_centre[inner], atol=1e-4), "random_scale"
        noise.append((got["noise"] - x) / 0.25)
    evenly("random_shift", counts["shift"], 25)
    evenly("random_crop", counts["crop"], 16)
    evenly("random_cut_out", counts["hole"], 42)
    assert abs(counts["flip"][True] / RUNS - 0.3) < 4 * np.sqrt(0.21 / RUNS), "random_flip does not keep to its probability"
    uniformly("random_rotate", angles, -20, 20)
    uniformly("random_scale", factors, 0.5, 1.6)
    noise = np.array(noise)
    assert abs(noise.mean()) < 4 / np.sqrt(noise.size) and abs(noise.std() - 1) < 4 / np.sqrt(2 * noise.size), "random_noise"
    assert abs(np.mean(noise ** 4) - 3) < 4 * np.sqrt(96 / noise.size), "random_noise is not normal"
    print(f"  pictures: {RUNS} runs, {len(counts['shift'])} shifts, {len(counts['crop'])} crops, {len(counts['hole'])} holes, "
          f"angles from {min(angles):.1f} to {max(angles):.1f}, factors from {min(factors):.2f} to {max(factors):.2f}")


def main():
    nacre, folder = sys.argv[1:]
    program = os.path.join(folder, "draws")
    for part in "weights", "pictures":
        os.makedirs(os.path.join(folder, part), exist_ok=True)
    subprocess.run([nacre, "build", "--cpu=native", os.path.join(HERE, "Inputs", "draws.nacre"), "-o", program], check=True)
    with open(os.path.join(HERE, "goldens", "draws.json"), encoding="utf-8") as f:
        weights(program, os.path.join(folder, "weights"), json.load(f))
    pictures(program, os.path.join(folder, "pictures"))


if __name__ == "__main__":
    try:
        main()
    except AssertionError as problem:
        sys.exit(f"draws.py: {problem}")
