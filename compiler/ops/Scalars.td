// What may stand in the body of an equation beside the primitives: numbers, indices, gathered elements, casts, choices.
#ifndef NACRE_SCALARS
#define NACRE_SCALARS
include "dialect/Op.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

// Not ConstantLike: the canonicaliser would move numbers out of the bodies that they belong to.
def Nacre_NumberOp : Nacre_ScalarOp<"number", [AllTypesMatch<["value", "result"]>]> {
  let summary = "a literal number";
  let arguments = (ins TypedAttrInterface:$value);
  let results = (outs Nacre_Number:$result);
  let assemblyFormat = "$value attr-dict";
}

def Nacre_IndexOp : Nacre_ScalarOp<"index"> {
  let summary = "an affine expression of the equation's indices (dims) and sizes (symbols), as i64";
  let arguments = (ins AffineMapAttr:$expression);
  let results = (outs I64:$result);
  let assemblyFormat = "$expression attr-dict";
  let hasVerifier = 1;
}

def Nacre_ElementOp : Nacre_ScalarOp<"element", [
    TypesMatchWith<"the result is an element of the tensor", "tensor", "result",
                   "::mlir::cast<::mlir::RankedTensorType>($_self).getElementType()">]> {
  let summary = "the element of a tensor at computed subscripts (a gather)";
  let description = [{
    Subscripts are clamped into their axes, so the read is safe whatever they are; every extent is at least 1. `proved`
    marks the subscripts that are known to be in range and need no clamp.
  }];
  let arguments = (ins Nacre_Tensor:$tensor, Variadic<I64>:$subscripts, OptionalAttr<DenseBoolArrayAttr>:$proved);
  let results = (outs Nacre_Number:$result);
  let assemblyFormat = "$tensor `[` $subscripts `]` (`proved` $proved^)? attr-dict `:` type($tensor)";
  let hasVerifier = 1;
}

def Nacre_CastOp : Nacre_ScalarOp<"cast", [DeclareOpInterfaceMethods<ScalarDerivative>]> {
  let summary = "a number in another type; real to integer truncates towards zero and saturates, to bool means `!= 0`";
  let arguments = (ins Nacre_Number:$operand);
  let results = (outs Nacre_Number:$result);
  let assemblyFormat = "$operand attr-dict `:` type($operand) `to` type($result)";
}

def Nacre_SelectOp : Nacre_ScalarOp<"select", [DeclareOpInterfaceMethods<ScalarDerivative>, AllTypesMatch<["yes", "no", "result"]>]> {
  let summary = "one of two values; both are computed";
  let arguments = (ins I1:$condition, Nacre_Number:$yes, Nacre_Number:$no);
  let results = (outs Nacre_Number:$result);
  let assemblyFormat = "$condition `,` $yes `,` $no attr-dict `:` type($result)";
}
#endif
