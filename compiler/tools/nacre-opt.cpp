// One pass at a time on printed modules: mlir-opt with the nacre dialect and its passes.
#include "Passes.h"
#include "lower/loops/Passes.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "ops/Ops.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<nacre::NacreDialect>();
  mlir::registerAllPasses();
  nacre::registerNacrePasses();
  nacre::registerNacreLoopsPasses();
  nacre::registerLoopsPipelines();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "nacre-opt\n", registry));
}
