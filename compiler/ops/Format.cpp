// Custom pieces of the printed form.
#include "ops/Format.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace nacre {

ParseResult parseBareMap(OpAsmParser &parser, AffineMapAttr &map) {
  AffineMap parsed;
  if (parser.parseLess() || parser.parseAffineMap(parsed) || parser.parseGreater())
    return failure();
  map = AffineMapAttr::get(parsed);
  return success();
}

void printBareMap(OpAsmPrinter &printer, Operation *, AffineMapAttr map) { printer << '<' << map.getValue() << '>'; }

ParseResult parseReads(OpAsmParser &parser, SmallVectorImpl<OpAsmParser::UnresolvedOperand> &inputs,
                       SmallVectorImpl<Type> &types, ArrayAttr &maps) {
  SmallVector<Attribute> list;
  if (succeeded(parser.parseOptionalKeyword("reads"))) {
    auto one = [&]() -> ParseResult {
      AffineMap map;
      if (parser.parseOperand(inputs.emplace_back()) || parser.parseColonType(types.emplace_back()) ||
          parser.parseKeyword("at") || parser.parseAffineMap(map))
        return failure();
      list.push_back(AffineMapAttr::get(map));
      return success();
    };
    if (parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, one))
      return failure();
  }
  maps = parser.getBuilder().getArrayAttr(list);
  return success();
}

void printReads(OpAsmPrinter &printer, Operation *, OperandRange inputs, TypeRange, ArrayAttr maps) {
  if (inputs.empty())
    return;
  printer << "reads (";
  llvm::interleaveComma(llvm::zip(inputs, maps), printer, [&](auto read) {
    auto [input, map] = read;
    printer << input << " : " << input.getType() << " at " << cast<AffineMapAttr>(map).getValue();
  });
  printer << ") ";
}

} // namespace nacre
