"""The first losses of our training rows against those of PyTorch in f64, which losses.json keeps with the names and shapes of the
weights, so that `make test` needs no PyTorch.

    python bench/losses.py --build build NAME ...
    python bench/losses.py --update NAME ...          writes losses.json, with PyTorch
"""
import argparse
import json
import os

import numpy as np

import arrays
import ours
import rows

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "losses.json")
BOUND = 1e-5   # of the largest loss


def update(names):
    import prepare
    kept = {}
    for name in names:
        row = rows.ROWS[name]
        state = prepare.network(row).state_dict()
        kept[name] = {"weights": {path: list(t.shape) for path, t in state.items() if t.is_floating_point()},
                      "losses": prepare.losses(row).tolist()}
    with open(KEPT, "w") as f:
        json.dump(kept, f, indent=1)
        f.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(os.path.dirname(KEPT), "..", "build"))
    parser.add_argument("--update", action="store_true")
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    if options.update:
        update(options.names)
        return
    with open(KEPT) as f:
        kept = json.load(f)
    for name in options.names:
        nacre, row = ours.Nacre(1, os.path.abspath(options.build)), rows.ROWS[name]
        weights = os.path.join(nacre.folder(row), "weights.safetensors")
        arrays.write_safetensors(weights, {path: arrays.weight(path, shape) for path, shape in kept[name]["weights"].items()})
        _, losses, _ = nacre.load_training(row, weights)
        error = arrays.relative_error(losses(), [np.array(kept[name]["losses"])])
        print(f"{name}: {losses()[0]}, {error:.1e} from f64", flush=True)
        assert error < BOUND, kept[name]["losses"]
    os._exit(0)   # the libraries' threads are still alive


if __name__ == "__main__":
    main()
