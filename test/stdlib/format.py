"""A lit format: a library file passes when its own `test` blocks do, optimised and through the plain lowering."""
import lit.Test
import lit.util
from lit.formats.base import FileBasedTest


class LibraryTest(FileBasedTest):
    def __init__(self, nacre):
        self.nacre = nacre

    def execute(self, test, litConfig):
        for flags in [], ["--reference"]:
            command = [self.nacre, "test", *flags, test.getSourcePath()]
            out, err, code = lit.util.executeCommand(command, timeout=litConfig.maxIndividualTestTime)
            if code != 0:
                return lit.Test.FAIL, f"{' '.join(command)} ended with {code}\n{out}{err}"
        return lit.Test.PASS, ""
