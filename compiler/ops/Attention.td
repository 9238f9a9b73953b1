// Attention: a weighted sum over keys whose weights are a softmax of scores, without a place for the scores.
#ifndef NACRE_ATTENTION
#define NACRE_ATTENTION
include "dialect/Op.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"

def Nacre_AttentionOp : Nacre_TensorOp<"attention", [
    AttrSizedOperandSegments, SingleBlock, DeclareOpInterfaceMethods<KnowsExtents>,
    DeclareOpInterfaceMethods<Differentiable>]> {
  let summary = "y = sum[j](w * softmax[j](score) * v) with score = body(sum[d](q * k))";
  let description = [{
    ```
    y[b, h, i, e] = sum[j](softmax[j](sum[d](q[b, h, i, d] * k[b, h, j, d]) / 8) * v[b, h, j, e])

    %y, %lse = nacre.attention query 2 value 3 extents<() -> (1, 12, 512, 64, 512, 64)>
        reads (%q : tensor<1x12x512x64xf32> at (b, h, i, e, j, d) -> (b, h, i, d), %k : ... -> (b, h, j, d),
               %v : ... -> (b, h, j, e)) {
    ^bb0(%dot: f32):
      %c = nacre.number 8.0 : f32
      %s = nacre.div %dot, %c : f32
      nacre.score_yield %s : f32
    } : tensor<1x12x512x64xf32>, tensor<1x12x512xf32>
    ```

    The indices are those of the result, of which `query` is the row of q and `value` the column of v, then the key j and the
    feature d. q does not depend on j, k not on the query, v on neither query nor d; the others depend on neither d nor the
    column of v. The body has the product of q and k and the elements of the inputs behind v; it yields the score and, if the
    weights are multiplied by something after the softmax (dropout), that factor.

    `lse` is log(sum[j](exp(score))). A row whose scores are all -inf gives zeros, and `lse` = 0 there.
  }];
  let arguments = (ins Variadic<Nacre_Tensor>:$inputs, Variadic<Index>:$sizes, AffineMapAttr:$extents,
                       AffineMapArrayAttr:$maps, I64Attr:$query, I64Attr:$value);
  let results = (outs Nacre_Tensor:$result, Nacre_Tensor:$lse);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `query` $query `value` $value `extents` `` custom<BareMap>($extents) (`[` $sizes^ `]`)?
    custom<Reads>($inputs, type($inputs), $maps) $body attr-dict `:` type($result) `,` type($lse)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    unsigned rank() { return ::mlir::cast<::mlir::RankedTensorType>(getResult().getType()).getRank(); }
    unsigned keyIndex() { return rank(); }
    unsigned featureIndex() { return rank() + 1; }
    /// The indices that are neither query nor column: one attention each.
    ::llvm::SmallVector<unsigned> batchIndices();
    static constexpr unsigned operandsBefore = 3; // q, k, v
  }];
}

def Nacre_AttentionGradientOp : Nacre_TensorOp<"attention_gradient", [
    AttrSizedOperandSegments, SingleBlock, DeclareOpInterfaceMethods<KnowsExtents>]> {
  let summary = "the cotangents of what `nacre.attention` reads, the weights computed again";
  let description = [{
    Inputs q, k, v, dy, lse, D = sum[e](dy * y), then those of the body; indices as in `nacre.attention`. The body yields the score, its
    derivative by the product of q and k, those by the inputs numbered in `others`, and if there is a factor of the weights, that
    factor and its derivatives by the same inputs.

    Results over the indices of the attentions, outermost first: dq[.., i, d], dk[.., j, d], dv[.., j, e], then the cotangent at
    every point [.., i, j] of each input in `others`.
  }];
  let arguments = (ins Variadic<Nacre_Tensor>:$inputs, Variadic<Index>:$sizes, AffineMapAttr:$extents,
                       AffineMapArrayAttr:$maps, I64Attr:$query, I64Attr:$value, DenseI64ArrayAttr:$others);
  let results = (outs Variadic<Nacre_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `query` $query `value` $value `others` $others `extents` `` custom<BareMap>($extents) (`[` $sizes^ `]`)?
    custom<Reads>($inputs, type($inputs), $maps) $body attr-dict `:` type($results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    static constexpr unsigned operandsBefore = 6; // q, k, v, dy, lse, D
  }];
}

def Nacre_ScoreYieldOp : Nacre_Op<"score_yield", [
    Pure, Terminator, ReturnLike, ParentOneOf<["AttentionOp", "AttentionGradientOp", "AttendOp"]>]> {
  let summary = "ends the body of an attention";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

def Nacre_AttendOp : Nacre_Op<"attend", [
    AttrSizedOperandSegments, SingleBlock, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "an attention or its gradient from linalg on: written into tensors, later buffers, that are given";
  let description = [{
    The inputs of `nacre.attention`, or with `backward` those of `nacre.attention_gradient`, and a place for each result that is wanted,
    whose number among the results is in `places`. The body is arith and math; before the product it is given the indices,
    all but the feature. `needed`: where one of these expressions is negative, the score is -inf.
  }];
  let arguments = (ins Variadic<AnyType>:$inputs, Variadic<Index>:$sizes, Variadic<AnyType>:$inits, AffineMapAttr:$extents,
                       AffineMapArrayAttr:$maps, I64Attr:$query, I64Attr:$value, AffineMapAttr:$needed,
                       DenseI64ArrayAttr:$places, DenseI64ArrayAttr:$others, UnitAttr:$backward);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`backward` $backward^)? `query` $query `value` $value `extents` `` custom<BareMap>($extents) (`[` $sizes^ `]`)?
    custom<Reads>($inputs, type($inputs), $maps) `into` $inits `places` $places `others` $others `needed` $needed
    $body attr-dict `:` type($inits) (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitsMutable(); }
    unsigned rank() { return getExtents().getNumResults() - 2; }
    unsigned keyIndex() { return rank(); }
    unsigned featureIndex() { return rank() + 1; }
    ::llvm::SmallVector<unsigned> batchIndices();
    unsigned operandsBefore() { return getBackward() ? 6 : 3; }
  }];
}
#endif
