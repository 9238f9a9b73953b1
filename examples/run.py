"""`make examples`: every example in full, each held to its figure; then VGG-16 against PyTorch's logits.

    python run.py [--build ../build] [NAME ...]      NAME: 01_hello 02_digits 03_train_digits 04_faces embed_c embed_cpp vgg16
"""
import argparse
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(HERE)


def say(text):
    print(text, flush=True)


def command(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def hello(nacre, out):
    program = os.path.join(out, "hello")
    command(nacre, "test", os.path.join(HERE, "01_hello", "hello.nacre"))
    command(nacre, "build", os.path.join(HERE, "01_hello", "hello.nacre"), "-o", program)
    answer = " ".join(command(program, "line", "x=[1, 2, 3]").split())
    say(f"  {answer}")
    assert answer.endswith("total: f32 = 15"), "2 x + 1 does not sum to 15"


def digits(nacre, out):
    for network in "mlp", "lenet":
        program = os.path.join(out, network)
        command(nacre, "build", os.path.join(HERE, "02_digits", f"{network}.nacre"), "-o", program)
        say("  " + command(sys.executable, os.path.join(HERE, "02_digits", "check.py"), program, network).strip())


def trained(folder):
    def run(nacre, out):
        subprocess.run([sys.executable, os.path.join(HERE, folder, "train.py"), "--nacre", nacre, "--out", out], check=True)
    return run


def embedded(name, nacre, out, *arguments):
    """What the program of this folder prints, built with CMake as anybody would."""
    command("cmake", "-S", os.path.join(HERE, name), "-B", out, f"-DNacre_DIR={SOURCE}/cmake", f"-DNACRE_EXECUTABLE={nacre}")
    command("cmake", "--build", out)
    return subprocess.run([os.path.join(out, name), *arguments], stdout=subprocess.PIPE, text=True).stdout


def in_c(nacre, out):
    said = embedded("embed_c", nacre, out)
    say("  " + said.strip().replace("\n", "\n  "))
    assert "this is a 7" in said and "n = 0" in said, "it reads the 7, and refuses a batch of 0"


def in_cpp(nacre, out):
    import numpy as np
    sys.path.insert(0, os.path.join(HERE, "02_digits"))
    import digits
    images, labels = digits.load()
    _, test = digits.split(labels)
    np.save(os.path.join(out, "images.npy"), images[test])
    said = embedded("embed_cpp", nacre, out, os.path.join(HERE, "02_digits", "lenet.safetensors"), os.path.join(out, "images.npy"))
    read = np.array(said.split(), np.int32)
    say(f"  {int((read == labels[test]).sum())} of {len(test)} held-back images right")
    assert np.array_equal(read, np.load(os.path.join(HERE, "02_digits", "expected", "lenet_label.npy"))), "the oracle reads otherwise"


def vgg(nacre, out):
    subprocess.run([sys.executable, os.path.join(SOURCE, "test", "oracle", "large.py"), nacre, out, "vgg16"], check=True)


EXAMPLES = {"01_hello": hello, "02_digits": digits, "03_train_digits": trained("03_train_digits"), "04_faces": trained("04_faces"),
            "embed_c": in_c, "embed_cpp": in_cpp, "vgg16": vgg}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    if unknown := set(options.names) - set(EXAMPLES):
        parser.error(f"no example {', '.join(sorted(unknown))}")
    failed = []
    for name in options.names or EXAMPLES:
        say(f"{name}:")
        out, start = os.path.join(build, "examples", name), time.perf_counter()
        os.makedirs(out, exist_ok=True)
        try:
            EXAMPLES[name](os.path.join(build, "bin", "nacre"), out)
            say(f"  {time.perf_counter() - start:.0f} s")
        except (AssertionError, subprocess.CalledProcessError) as problem:
            say(f"  failed: {problem}")
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    say("every example reaches its figure")


if __name__ == "__main__":
    main()
