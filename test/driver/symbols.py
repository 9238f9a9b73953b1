"""Symbolises a program of chain.nacre without perf: symbols.py PROGRAM."""
import glob
import re
import subprocess
import sys

symbolizer = sorted(glob.glob("/usr/lib/llvm-*/bin/llvm-symbolizer"))[-1]
program = sys.argv[1]
symbols = [line.split() for line in subprocess.check_output(["nm", "-S", program], text=True).splitlines()]
found = {}
for words in symbols:
    if len(words) != 4 or not re.match(r"chain_run(\.|__call)", words[3]):
        continue
    start, size = int(words[0], 16), int(words[1], 16)
    text = subprocess.run([symbolizer, "--obj", program, "--functions=none", "--inlines", "--basenames"], text=True,
                          input="\n".join(hex(start + at) for at in range(0, size, 4)), capture_output=True, check=True)
    found[words[3]] = set(re.findall(r"(\w+\.nacre):(\d+)", text.stdout))
product = next(name for name in found if name.startswith("chain_run.fc1.product.linear_9"))
assert ("linear.nacre", "9") in found[product], found
assert ("activations.nacre", "5") in found[product], found   # relu is fused into it
assert any(file == "softmax.nacre" for places in found.values() for file, line in places), found
