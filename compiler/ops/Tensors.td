// Values that are not equations: constants, views with another shape, joined tensors, named composites.
#ifndef NACRE_TENSORS
#define NACRE_TENSORS
include "dialect/Op.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def Nacre_ConstantOp : Nacre_TensorOp<"constant", [ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "a tensor of literal numbers";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Nacre_Tensor:$result);
  let assemblyFormat = "$value attr-dict";
  let hasFolder = 1;
}

def Nacre_ReshapeOp : Nacre_TensorOp<"reshape", [HasExtents, DeclareOpInterfaceMethods<Differentiable>]> {
  let summary = "the same elements in row-major order under another shape";
  let arguments = (ins Nacre_Tensor:$operand, Variadic<Index>:$sizes, AffineMapAttr:$extents);
  let results = (outs Nacre_Tensor:$result);
  let assemblyFormat = [{
    $operand `extents` `` custom<BareMap>($extents) (`[` $sizes^ `]`)? attr-dict `:` type($operand) `to` type($result)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
  let extraClassDeclaration = [{
    ::mlir::AffineMap extentsMap() { return getExtents(); }
    ::mlir::ValueRange extentsSymbols() { return getSizes(); }
  }];
}

def Nacre_ConcatOp : Nacre_TensorOp<"concat", [
    AttrSizedOperandSegments, HasExtents, DeclareOpInterfaceMethods<Differentiable>]> {
  let summary = "tensors joined along one axis";
  let arguments = (ins Variadic<Nacre_Tensor>:$inputs, Variadic<Index>:$sizes, AffineMapAttr:$extents, I64Attr:$axis);
  let results = (outs Nacre_Tensor:$result);
  let assemblyFormat = [{
    `axis` $axis `(` $inputs `:` type($inputs) `)` `extents` `` custom<BareMap>($extents) (`[` $sizes^ `]`)? attr-dict
    `:` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::AffineMap extentsMap() { return getExtents(); }
    ::mlir::ValueRange extentsSymbols() { return getSizes(); }
  }];
}

def Nacre_AssembleOp : Nacre_TensorOp<"assemble", [
    AttrSizedOperandSegments, HasExtents, DeclareOpInterfaceMethods<Differentiable>]> {
  let summary = "a tensor put together from pieces that do not overlap, each at its offsets and strides";
  let description = [{
    Element I of piece p lies at `offsets[p] + strides[p] * I`. `zero`: cells that no piece covers are 0; without it the
    pieces cover everything. It is what a gather of strided, sliced or padded reads becomes when it is turned round.
  }];
  let arguments = (ins Variadic<Nacre_Tensor>:$pieces, Variadic<Index>:$sizes, AffineMapAttr:$extents,
                       AffineMapArrayAttr:$offsets, ArrayAttr:$strides, UnitAttr:$zero);
  let results = (outs Nacre_Tensor:$result);
  let hasVerifier = 1;
  let assemblyFormat = [{
    (`zero` $zero^)? `(` ($pieces^ `:` type($pieces))? `)` `offsets` $offsets `strides` $strides
    `extents` `` custom<BareMap>($extents) (`[` $sizes^ `]`)? attr-dict `:` type($result)
  }];
  let extraClassDeclaration = [{
    ::mlir::AffineMap extentsMap() { return getExtents(); }
    ::mlir::ValueRange extentsSymbols() { return getSizes(); }
  }];
}

def Nacre_KeepOp : Nacre_Op<"keep", [Pure, SingleBlock]> {
  let summary = "a call of a function marked `@keep`, whole until fusion has looked at it";
  let description = [{
    Block arguments are the operands of the call; sizes are used from outside. What no pass recognises is inlined.
    ```
    %p = nacre.keep "softmax"(%x : tensor<?x10xf32>) {
    ^bb0(%a: tensor<?x10xf32>):
      ...
      nacre.yield %y : tensor<?x10xf32>
    } : tensor<?x10xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, Variadic<Nacre_Tensor>:$inputs, OptionalAttr<StrArrayAttr>:$promises);
  let results = (outs Nacre_Tensor:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $name `(` ($inputs^ `:` type($inputs))? `)` (`promises` $promises^)? $body attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}
#endif
