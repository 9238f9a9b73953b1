# `nacre test FILE` for every file of stdlib/.
import os
import sys

sys.path.insert(0, os.path.join(config.nacre_source, "test"))
from stdlib.format import LibraryTest  # noqa: E402  (a module of its own, because lit's workers pickle it)

config.name = "stdlib"
config.test_format = LibraryTest(os.path.join(config.nacre_build, "bin", "nacre"))
config.suffixes = [".nacre"]
config.excludes = []
config.test_source_root = os.path.join(config.nacre_source, "stdlib")
config.test_exec_root = os.path.join(config.nacre_build, "test", "stdlib")
