#include "PassTimer.h"
#include "mlir/Pass/Pass.h"
#include <chrono>

namespace nacre {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

class PassTimer : public mlir::PassInstrumentation {
public:
  PassTimer(Stage stage, std::vector<PassTime> &passes) : stage(stage), passes(passes) {}

  void runBeforePass(mlir::Pass *, mlir::Operation *) override { open.push_back({now(), 0}); }
  void runAfterPass(mlir::Pass *pass, mlir::Operation *) override { close(pass); }
  void runAfterPassFailed(mlir::Pass *pass, mlir::Operation *) override { close(pass); }

private:
  void close(mlir::Pass *pass) {
    auto [begin, inside] = open.back();
    open.pop_back();
    double whole = now() - begin;
    if (!open.empty())
      open.back().second += whole;
    // What runs passes on every function has no name on the command line: it belongs to what is left of the stage.
    std::string name = pass->getArgument().str();
    if (name.empty())
      return;
    for (PassTime &row : passes)
      if (row.stage == stage && row.name == name) {
        ++row.runs;
        row.seconds += whole - inside;
        return;
      }
    passes.push_back({stage, name, 1, whole - inside});
  }

  Stage stage;
  std::vector<PassTime> &passes;
  std::vector<std::pair<double, double>> open; // begin, time of passes inside
};

} // namespace

std::unique_ptr<mlir::PassInstrumentation> timePasses(Stage stage, std::vector<PassTime> &passes) {
  return std::make_unique<PassTimer>(stage, passes);
}

} // namespace nacre
