// What moves elements by computed places: scatter, order, running sums, foreign functions.
#ifndef NACRE_MOVEMENT
#define NACRE_MOVEMENT
include "dialect/Op.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"

def Nacre_ScatterOp : Nacre_TensorOp<"scatter", [
    AttrSizedOperandSegments, SingleBlock, IndexSpace, DeclareOpInterfaceMethods<KnowsExtents>,
    DeclareOpInterfaceMethods<Differentiable>]> {
  let summary = "a tensor, plus a value at computed subscripts for every point of a box";
  let description = [{
    ```
    dw[ids[b], k] += dy[b, k]

    %r = nacre.scatter %dw extents<()[] -> (32, 64)> reads (%dy : tensor<32x64xf32> at (b, k) -> (b, k), ...) {
    ^bb0(%g: f32, %row: i32):
      %i = nacre.cast %row : i32 to i64
      %k = nacre.index (b, k) -> k
      nacre.scatter_yield %g at [%i, %k] : f32
    } : tensor<1000x64xf32>
    ```
    The box, the reads and the body are those of `nacre.equation` without a reduction. What meets in one element is added
    in row-major order of the box (the result never depends on threads), to bools by `or`; a point outside the tensor
    adds nothing. `injective`: no two points meet.
  }];
  let arguments = (ins Nacre_Tensor:$init, Variadic<Nacre_Tensor>:$inputs, Variadic<Index>:$sizes,
                       AffineMapAttr:$extents, AffineMapArrayAttr:$maps, UnitAttr:$injective);
  let results = (outs Nacre_Tensor:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $init (`injective` $injective^)? `extents` `` custom<BareMap>($extents) (`[` $sizes^ `]`)?
    custom<Reads>($inputs, type($inputs), $maps) $body attr-dict `:` type($init) `to` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    unsigned loopCount() { return getExtents().getNumResults(); }
    ::mlir::RankedTensorType getType() { return ::mlir::cast<::mlir::RankedTensorType>(getResult().getType()); }
  }];
}

def Nacre_ScatterYieldOp : Nacre_Op<"scatter_yield", [Pure, Terminator, ReturnLike, ParentOneOf<["ScatterOp"]>]> {
  let summary = "ends the body of a scatter: what is added, and where";
  let arguments = (ins AnyType:$value, Variadic<I64>:$subscripts);
  let assemblyFormat = "$value `at` `[` $subscripts `]` attr-dict `:` type($value)";
}

def Nacre_PermutationOp : Nacre_TensorOp<"permutation", [DeclareOpInterfaceMethods<KnowsExtents>]> {
  let summary = "the stable order of each line along one axis: subscripts as i32; a NaN comes last";
  let arguments = (ins Nacre_Tensor:$operand, I64Attr:$axis, UnitAttr:$descending);
  let results = (outs Nacre_Tensor:$result);
  let assemblyFormat = "$operand `axis` $axis (`descending` $descending^)? attr-dict `:` type($operand) `to` type($result)";
  let hasVerifier = 1;
}

def Nacre_CumulativeSumOp : Nacre_TensorOp<"cumulative_sum", [
    AllTypesMatch<["operand", "result"]>, DeclareOpInterfaceMethods<KnowsExtents>,
    DeclareOpInterfaceMethods<Differentiable>]> {
  let summary = "running sums along one axis, from the end if `reverse`";
  let arguments = (ins Nacre_Tensor:$operand, I64Attr:$axis, UnitAttr:$reverse);
  let results = (outs Nacre_Tensor:$result);
  let assemblyFormat = "$operand `axis` $axis (`reverse` $reverse^)? attr-dict `:` type($operand)";
  let hasVerifier = 1;
}

def Nacre_ExternOp : Nacre_TensorOp<"extern", [AttrSizedOperandSegments, HasExtents]> {
  let summary = "a C function: dense row-major inputs, dense result";
  let description = [{
    Called as `void symbol(const void *const *inputs, const int64_t *const *extents, void *result)`: `extents[i]` are the extents of input i;
    after the inputs, those of the result. A bool is one byte. The same inputs give the same result.
  }];
  let arguments = (ins StrAttr:$symbol, Variadic<Nacre_Tensor>:$inputs, Variadic<Index>:$sizes, AffineMapAttr:$extents);
  let results = (outs Nacre_Tensor:$result);
  let assemblyFormat = [{
    $symbol `(` ($inputs^ `:` type($inputs))? `)` `extents` `` custom<BareMap>($extents) (`[` $sizes^ `]`)? attr-dict `:` type($result)
  }];
  let extraClassDeclaration = [{
    ::mlir::AffineMap extentsMap() { return getExtents(); }
    ::mlir::ValueRange extentsSymbols() { return getSizes(); }
  }];
}

def Nacre_CallExternOp : Nacre_Op<"call_extern", [
    DestinationStyleOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "`nacre.extern` from linalg on: written into a tensor, later a buffer, that is given";
  let arguments = (ins StrAttr:$symbol, Variadic<AnyShaped>:$inputs, AnyShaped:$init);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = "$symbol `(` $inputs `)` `into` $init attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }];
}
#endif
