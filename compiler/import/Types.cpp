// Types and places of the front end in MLIR's terms.
#include "import/Types.h"
#include "mlir/IR/Builders.h"

namespace nacre {

mlir::Type importType(Scalar scalar, mlir::MLIRContext &context) {
  mlir::Builder builder(&context);
  switch (scalar) {
  case Scalar::F64:
    return builder.getF64Type();
  case Scalar::F32:
    return builder.getF32Type();
  case Scalar::F16:
    return builder.getF16Type();
  case Scalar::BF16:
    return builder.getBF16Type();
  case Scalar::I64:
    return builder.getI64Type();
  case Scalar::I32:
    return builder.getI32Type();
  case Scalar::I8:
    return builder.getI8Type();
  case Scalar::U64:
    return builder.getIntegerType(64, /*isSigned=*/false);
  case Scalar::U8:
    return builder.getIntegerType(8, /*isSigned=*/false);
  case Scalar::Bool:
    return builder.getI1Type();
  }
  return {};
}

mlir::Location importSpan(const Span &span, mlir::MLIRContext &context) {
  if (!span)
    return mlir::UnknownLoc::get(&context);
  Position position = span.file->position(span.begin);
  return mlir::FileLineColLoc::get(&context, span.file->path(), position.line, position.column);
}

mlir::Location importPart(const Span &span, mlir::Location around) {
  if (!span)
    return around;
  if (auto site = llvm::dyn_cast<mlir::CallSiteLoc>(around))
    return mlir::CallSiteLoc::get(importPart(span, site.getCallee()), site.getCaller());
  if (auto layer = llvm::dyn_cast<mlir::NameLoc>(around))
    return mlir::NameLoc::get(layer.getName(), importPart(span, layer.getChildLoc()));
  return importSpan(span, *around.getContext());
}

mlir::Location importLocation(const Location *location, mlir::MLIRContext &context) {
  if (!location)
    return mlir::UnknownLoc::get(&context);
  mlir::Location place = importSpan(location->span, context);
  if (!location->path.empty())
    place = mlir::NameLoc::get(mlir::StringAttr::get(&context, location->path), place);
  if (location->caller)
    place = mlir::CallSiteLoc::get(place, importLocation(location->caller, context));
  return place;
}

} // namespace nacre
