#include "dialect/Remarks.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectInterface.h"
#include "ops/Ops.h"

using namespace mlir;

namespace nacre {
namespace {
/// Where passes find the report: with the dialect, which every compilation has.
struct ReportHolder : DialectInterface::Base<ReportHolder> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ReportHolder)
  ReportHolder(Dialect *dialect, Report &report) : Base(dialect), report(report) {}
  Report &report;
};
} // namespace

Report *reportOf(MLIRContext *context) {
  auto *dialect = context->getLoadedDialect<NacreDialect>();
  auto *holder = dialect ? dialect->getRegisteredInterface<ReportHolder>() : nullptr;
  return holder ? &holder->report : nullptr;
}

void collectReport(MLIRContext &context, Report &report) {
  auto *dialect = context.getOrLoadDialect<NacreDialect>();
  dialect->addInterface(std::make_unique<ReportHolder>(dialect, report));
}

namespace {
struct Frame {
  FileLineColLoc at;
  std::string path;
};
} // namespace

/// The calls that led to a place, innermost first.
static void framesOf(Location location, const std::string &path, SmallVectorImpl<Frame> &frames) {
  if (auto fused = dyn_cast<FusedLoc>(location)) {
    for (Location part : fused.getLocations())
      if (size_t before = frames.size(); framesOf(part, path, frames), frames.size() > before)
        return;
  } else if (auto site = dyn_cast<CallSiteLoc>(location)) {
    framesOf(site.getCallee(), path, frames);
    framesOf(site.getCaller(), path, frames);
  } else if (auto named = dyn_cast<NameLoc>(location)) {
    framesOf(named.getChildLoc(), named.getName().str(), frames);
  } else if (auto file = dyn_cast<FileLineColLoc>(location)) {
    frames.push_back({file, path});
  }
}

SourceLine sourceLineOf(Location location) {
  SmallVector<Frame> frames;
  framesOf(location, "", frames);
  SourceLine place;
  if (frames.empty())
    return place;
  place.file = frames.front().at.getFilename().str();
  place.line = frames.front().at.getLine();
  StringAttr model = frames.back().at.getFilename(); // entries stand in the file of the model
  for (const Frame &frame : frames) {
    if (place.path.empty())
      place.path = frame.path;
    if (place.callerLine == 0 && frame.at.getFilename() == model && frame.at != frames.front().at) {
      place.callerFile = model.str();
      place.callerLine = frame.at.getLine();
    }
  }
  if (frames.front().at.getFilename() == model)
    place.callerFile = "", place.callerLine = 0;
  return place;
}

void note(Operation *op, RemarkKind kind, llvm::function_ref<std::string()> text) {
  Report *report = reportOf(op->getContext());
  if (!report)
    return;
  auto function = op->getParentOfType<func::FuncOp>();
  report->remarks.push_back({kind, function ? function.getName().str() : "", sourceLineOf(op->getLoc()), text()});
}

} // namespace nacre
