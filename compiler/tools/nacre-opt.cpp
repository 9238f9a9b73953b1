// One pass at a time on printed modules: mlir-opt with the nacre dialect and its passes.
#include "Passes.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "ops/Ops.h"
#ifdef NACRE_HAS_LOOPS
#include "lower/loops/Passes.h"
#endif

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<nacre::NacreDialect>();
  mlir::registerAllPasses();
  nacre::registerNacrePasses();
#ifdef NACRE_HAS_LOOPS
  nacre::registerNacreLoopsPasses();
  nacre::registerLoopsPipelines();
#endif
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "nacre-opt\n", registry));
}
