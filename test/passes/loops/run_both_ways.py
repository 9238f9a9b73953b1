#!/usr/bin/env python3
"""Compiles the functions of an .mlir file twice, through the loops pipeline and through plain scalar loops, runs both on
the same random buffers over several sizes and compares every buffer element by element.

    run_both_ways.py FILE.mlir --opt nacre-opt --clang clang [--bits 512] [--function NAME] [--time]

Without --bits it does so for every vector width that this machine has.

A function takes memrefs only, or tensors, which go through the passes on tensors and bufferisation first; its results are
compared as well. `// sizes: 1 7 64` above a function gives the values of its dynamic extents: `?` takes each
in turn, the same for all of a function (`a,b` gives them one by one, in order). `// range: 0 9` bounds integer contents,
`// scale: 30` widens the reals from [-1, 1] and puts infinities, NaN and other special numbers among them.
Prints one line per function and ends with `N passed, N failed`; exits 1 if any differ."""
import argparse, array, ctypes, itertools, math, os, random, re, struct, subprocess, sys, tempfile, time

CPUS = {"128": ("x86-64-v2", "sse4_2"), "256": ("x86-64-v3", "avx2"), "512": ("x86-64-v4", "avx512f")}
KINDS = {"f32": ("f", 4), "f64": ("d", 8), "i64": ("q", 8), "i32": ("i", 4), "i8": ("b", 1), "i1": ("b", 1),
         "f16": ("H", 2), "bf16": ("H", 2), "index": ("q", 8)}
SPECIAL = [math.inf, -math.inf, math.nan, 0.0, -0.0, 1e-30, 3e38, -3e38, 88.5, 89.0, -87.5, -104.0, 0.5, 1.0]
ON_TENSORS = ["--nacre-crop-results", "--nacre-permute-results=vector-bits={bits}", "--nacre-split-reductions",
              "--nacre-pack-operands=vector-bits={bits}", "--nacre-fuse-elementwise", "--canonicalize", "--cse"]
LOWER = ["--lower-affine", "--expand-strided-metadata", "--lower-affine", "--arith-expand", "--memref-expand",
         "--convert-scf-to-cf",
         "--convert-vector-to-llvm=reassociate-fp-reductions=1", "--convert-math-to-llvm", "--convert-math-to-libm",
         "--finalize-memref-to-llvm", "--convert-arith-to-llvm", "--convert-index-to-llvm", "--convert-func-to-llvm",
         "--convert-cf-to-llvm", "--reconcile-unrealized-casts", "--nacre-call-thread-pool"]
POOL = """#include <stdint.h>
void nacre_parallel_for(void (*body)(void *, int64_t, int64_t), void *context, int64_t count, int64_t grain) {
  for (int64_t at = 0; at < count; at += grain) body(context, at, at + grain < count ? at + grain : count);
}
"""

def run(command, **more):
    done = subprocess.run(command, capture_output=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr.decode()}")
    return done.stdout

def build(options, source, passes, folder, name):
    text = run([options.opt, "-"] + passes + LOWER, input=source.encode())
    path = os.path.join(folder, name)
    run([os.path.join(os.path.dirname(options.clang), "mlir-translate"), "--mlir-to-llvmir", "-o", path + ".ll"], input=text)
    run([options.clang, "-O2", f"-march={CPUS[options.bits][0]}", "-mprefer-vector-width=512", "-ffp-contract=on", "-fno-vectorize",
         "-fno-slp-vectorize", "-Wno-override-module", "-shared", "-fPIC", "-o", path + ".so", path + ".ll", options.pool, "-lm"])
    if options.keep:
        os.system(f"cp {path}.ll {path}.so {options.keep}")
    return ctypes.CDLL(path + ".so")

def half(bits):
    return struct.unpack("e", struct.pack("H", bits))[0]

def number(kind, value):
    if kind == "bf16":
        return struct.unpack("f", struct.pack("I", value << 16))[0]
    return half(value) if kind == "f16" else value

class Buffer:
    def __init__(self, shape, kind, random_source, bounds, scale):
        self.shape, self.kind = shape, kind
        code, self.width = KINDS[kind]
        count = math.prod(shape)
        if kind in ("f32", "f64"):
            values = [random_source.uniform(-scale, scale) for _ in range(count)]
            if scale > 1:
                values[3:3 + len(SPECIAL)] = SPECIAL[:max(0, count - 3)]
        elif kind in ("f16", "bf16"):
            pack = (lambda x: struct.unpack("H", struct.pack("e", x))[0]) if kind == "f16" else \
                   (lambda x: struct.unpack("I", struct.pack("f", x))[0] >> 16)
            values = [pack(random_source.uniform(-1, 1)) for _ in range(count)]
        elif kind == "i1":
            values = [random_source.randint(0, 1) for _ in range(count)]
        else:
            values = [random_source.randint(*bounds) for _ in range(count)]
        self.start = array.array(code, values)

    def fresh(self):
        """A copy 64 bytes away from its guards on both sides, and a descriptor of it."""
        size = len(self.start) * self.width
        raw = ctypes.create_string_buffer(size + 256)
        base = (ctypes.addressof(raw) + 127) & ~63
        ctypes.memset(ctypes.addressof(raw), 0x5A, size + 256)
        ctypes.memmove(base, self.start.tobytes(), size)
        rank = len(self.shape)
        strides = [math.prod(self.shape[d + 1:]) for d in range(rank)]
        words = (ctypes.c_int64 * (3 + 2 * rank))(base, base, 0, *self.shape, *strides)
        return raw, base, words

    def guarded(self, raw, base):
        size = len(self.start) * self.width
        begin = base - ctypes.addressof(raw)
        return raw.raw[:begin].count(b"\x5a") == begin and raw.raw[begin + size:].count(b"\x5a") == len(raw) - begin - size

    def read(self, base):
        out = array.array(KINDS[self.kind][0])
        out.frombytes(ctypes.string_at(base, len(self.start) * self.width))
        return out

def differs(kind, a, b, tolerance):
    a, b = number(kind, a), number(kind, b)
    if a == b or (a != a and b != b):
        return False
    if math.isinf(a) or math.isinf(b):
        return True
    if kind.startswith("i"):
        return True
    return not abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--opt", default="nacre-opt")
    parser.add_argument("--clang", default="/usr/lib/llvm-22/bin/clang")
    parser.add_argument("--bits", choices=list(CPUS))
    parser.add_argument("--function")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--keep", default="")
    options = parser.parse_args()
    flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags")).split()
    widths = [options.bits] if options.bits else [bits for bits, (_, flag) in CPUS.items() if flag in flags]
    passed = failed = 0
    for options.bits in widths:
        good, bad = check(options)
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0

def check(options):
    text = open(options.file).read()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        options.pool = os.path.join(folder, "pool.c")
        open(options.pool, "w").write(POOL)
        source = re.sub(r"func\.func @(\w+)\(([^{]*) \{", r"func.func @\1(\2 attributes {llvm.emit_c_interface} {", text)
        tensors = "tensor<" in text
        before = [flag.format(bits=options.bits) for flag in ON_TENSORS] + ["--nacre-bufferize"] if tensors else []
        fast = build(options, source, before + [f"--nacre-loops=vector-bits={options.bits}"], folder, "fast")
        plain = build(options, source, ["--nacre-bufferize"] * tensors + ["--nacre-loops=optimise=0"], folder, "plain")
        for comments, name, arguments in re.findall(r"((?:^//.*\n)*)^func\.func @(\w+)\(([^{]*)\S \{", text, re.M):
            if options.function and name != options.function:
                continue
            sizes = re.search(r"// sizes: (.*)", comments)
            bounds = re.search(r"// range: (-?\d+) (-?\d+)", comments)
            bounds = (int(bounds[1]), int(bounds[2])) if bounds else (-4, 5)
            scale = re.search(r"// scale: (\S+)", comments)
            scale = float(scale[1]) if scale else 1.0
            tolerance = re.search(r"// tolerance: (\S+)", comments)
            types = re.findall(r"(?:memref|tensor)<((?:[\d?]+x)*)(\w+)", arguments)
            bad = []
            for size in (sizes[1].split() if sizes else ["1"]):
                given = itertools.cycle(int(s) for s in size.split(","))
                source = random.Random(len(name) * 131 + sum(map(ord, size)))
                buffers = []
                for shape, kind in types:
                    shape = [next(given) if s == "?" else int(s) for s in shape.split("x") if s]
                    buffers.append(Buffer(shape, kind, source, bounds, scale))
                results, spent = [], []
                for library in (fast, plain):
                    made = [buffer.fresh() for buffer in buffers]
                    call = getattr(library, "_mlir_ciface_" + name)
                    pointers = [ctypes.byref(words) for _, _, words in made]
                    call(*pointers)
                    results.append([buffer.read(base) for buffer, (_, base, _) in zip(buffers, made)])
                    if not all(buffer.guarded(raw, base) for buffer, (raw, base, _) in zip(buffers, made)):
                        bad.append(f"{name} sizes {size}: wrote outside its buffers")
                    if options.time:
                        best = 1e9
                        for _ in range(20 if library is fast else 1):
                            begin = time.perf_counter()
                            call(*pointers)
                            best = min(best, time.perf_counter() - begin)
                        spent.append(best)
                if options.time:
                    print(f"{name} {size}: {spent[0] * 1e3:.4f} ms, scalar {spent[1] * 1e3:.3f} ms")
                for place, (buffer, a, b) in enumerate(zip(buffers, *results)):
                    limit = float(tolerance[1]) if tolerance else {"f64": 1e-12, "f16": 4e-3, "bf16": 2e-2}.get(buffer.kind, 2e-5)
                    wrong = [i for i in range(len(a)) if differs(buffer.kind, a[i], b[i], limit)]
                    if wrong:
                        i = wrong[0]
                        bad.append(f"{name} sizes {size}: argument {place} differs in {len(wrong)} of {len(a)}, first at {i}: "
                                   f"{number(buffer.kind, a[i])} for {number(buffer.kind, b[i])}")
                        break
            if bad:
                failed += 1
                print("\n".join(bad))
            else:
                passed += 1
                print(f"{name}: equal with vectors of {options.bits} bits")
    return passed, failed

if __name__ == "__main__":
    sys.exit(main())
