// The index equation and the values its body starts from.
#ifndef NACRE_EQUATION
#define NACRE_EQUATION
include "dialect/Op.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def Nacre_Reduction : I32EnumAttr<"ReductionKind", "how an equation reduces", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Product", 1, "prod">, I32EnumAttrCase<"Maximum", 2, "max">,
  I32EnumAttrCase<"Minimum", 3, "min">, I32EnumAttrCase<"ArgMax", 4, "argmax">, I32EnumAttrCase<"ArgMin", 5, "argmin">,
  I32EnumAttrCase<"Any", 6, "any">, I32EnumAttrCase<"All", 7, "all">]> {
  let cppNamespace = "::nacre";
}

def Nacre_EquationOp : Nacre_TensorOp<"equation", [
    AttrSizedOperandSegments, SingleBlock, HasExtents, IndexSpace, DeclareOpInterfaceMethods<Differentiable>]> {
  let summary = "a tensor given index by index, with at most one reduction";
  let description = [{
    ```
    y[i, o] = sum[k](x[i, k] * w[o, k])

    %y = nacre.equation sum extents<()[n] -> (n, 10, 784)> [%n]
        reads (%x : tensor<?x784xf32> at (i, o, k)[n] -> (i, k), %w : tensor<10x784xf32> at (i, o, k)[n] -> (o, k)) {
    ^bb0(%a: f32, %b: f32):
      %p = nacre.mul %a, %b : f32
      nacre.yield %p : f32
    } : tensor<?x10xf32>
    ```

    The indices are those of the result, outermost first, then the reduced ones; `extents` gives the range of each, from 0,
    as an affine function of `sizes`. Every input is read once per point at the subscripts of its map (indices are the
    dims, sizes the symbols), which are in range by proof; the block argument is the element. Subscripts that are not
    affine stand in the body as `nacre.element`. The body yields the element of the result, or what is reduced.

    `sum prod max min any all` reduce over all reduced indices; a NaN wins `max` and `min`. `argmax` and `argmin` have one
    reduced index, give its value as i32, and ties go to the lowest.
  }];
  let arguments = (ins Variadic<Nacre_Tensor>:$inputs, Variadic<Index>:$sizes, AffineMapAttr:$extents,
                       AffineMapArrayAttr:$maps, OptionalAttr<Nacre_Reduction>:$reduction);
  let results = (outs Nacre_Tensor:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    ($reduction^)? `extents` `` custom<BareMap>($extents) (`[` $sizes^ `]`)?
    custom<Reads>($inputs, type($inputs), $maps) $body attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    unsigned loopCount() { return getExtents().getNumResults(); }
    unsigned parallelCount() { return getType().getRank(); }
    ::mlir::RankedTensorType getType() { return ::mlir::cast<::mlir::RankedTensorType>(getResult().getType()); }
    ::mlir::AffineMap extentsMap(); // of the result's axes
    ::mlir::ValueRange extentsSymbols() { return getSizes(); }
  }];
}

def Nacre_YieldOp : Nacre_Op<"yield", [Pure, Terminator, ReturnLike, ParentOneOf<["EquationOp", "KeepOp"]>]> {
  let summary = "ends the body of an equation or of a composite with its value";
  let arguments = (ins AnyType:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}
#endif
