# The rooms of test/ as one lit suite. A test is a .nacre, .mlir or .test file with RUN lines:
#   %nacre %nacre-opt %front   the tools of this build       %FileCheck %not %split-file   LLVM's
#   %golden                    test/golden.py, compares or refreshes expected text
#   %python                    a Python with numpy           %library   stdlib/     %examples   examples/         %bench   bench/
#   %runtime                   runtime/                      %builddir  the build   %cc  %c++   clang
# Inputs of tests stand in folders named Inputs.
import os
import shutil

import lit.formats

config.name = "nacre"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".nacre", ".mlir", ".test"]
config.excludes = ["Inputs", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.nacre_build, "test")

tools = os.path.join(config.nacre_build, "bin")
room = config.test_source_root


def llvm(tool):
    return os.path.join(config.llvm_tools, tool)


# The first pattern that matches wins, so a longer name stands before its prefix.
config.substitutions += [
    ("%nacre-opt", os.path.join(tools, "nacre-opt")),
    ("%nacre", os.path.join(tools, "nacre")),
    ("%front", os.path.join(tools, "nacre-front")),
    ("%FileCheck", llvm("FileCheck")),
    ("%not", llvm("not")),
    ("%split-file", llvm("split-file")),
    ("%golden", f"{config.python} {os.path.join(room, 'golden.py')}"),
    ("%compare", f"{config.python} {os.path.join(room, 'compare.py')}"),
    ("%python", config.python),
    ("%c\\+\\+", llvm("clang++")),
    ("%cc", llvm("clang")),
    ("%library", os.path.join(config.nacre_source, "stdlib")),
    ("%examples", os.path.join(config.nacre_source, "examples")),
    ("%bench", os.path.join(config.nacre_source, "bench")),
    ("%runtime", os.path.join(config.nacre_source, "runtime")),
    ("%builddir", config.nacre_build),
    ("%source", config.nacre_source),
]

config.environment["PYTHONPATH"] = os.path.join(config.nacre_source, "test")
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"
config.environment["NACRE_THREADS"] = "2"
for name in "HOME", "TMPDIR", "CCACHE_DIR", "ASAN_OPTIONS", "NACRE_GOLDEN":
    if name in os.environ:
        config.environment[name] = os.environ[name]

if os.path.exists(os.path.join(tools, "nacre")):
    config.available_features.add("compiler")
config.available_features.add("front")
if shutil.which("qemu-x86_64"):
    config.available_features.add("qemu")
with open("/proc/cpuinfo") as f:
    flags = next((line for line in f if line.startswith("flags")), "").split()
for feature, flag in {"avx512": "avx512f", "avx2": "avx2", "avx512bf16": "avx512_bf16", "amx": "amx_bf16"}.items():
    if flag in flags:
        config.available_features.add(feature)
