"""`make examples`: every example that trains, in full, each held to its figure; then VGG-16 against PyTorch's logits."""
import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(HERE)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"))
    build = os.path.abspath(parser.parse_args().build)
    nacre = os.path.join(build, "bin", "nacre")
    failed = []
    for title, *command in (
            ("03_train_digits", os.path.join(HERE, "03_train_digits", "train.py"), "--nacre", nacre, "--out",
             os.path.join(build, "examples", "digits")),
            ("04_faces", os.path.join(HERE, "04_faces", "train.py"), "--nacre", nacre, "--out",
             os.path.join(build, "examples", "faces")),
            ("VGG-16 at 224 x 224", os.path.join(SOURCE, "test", "oracle", "large.py"), nacre,
             os.path.join(build, "examples", "large"), "vgg16")):
        print(f"{title}:", flush=True)
        if subprocess.run([sys.executable, *command]).returncode:
            failed.append(title)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    print("every example reaches its figure")


if __name__ == "__main__":
    main()
