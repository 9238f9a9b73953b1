// Derivatives: asked for, cut, replaced.
#ifndef NACRE_DERIVATIVES
#define NACRE_DERIVATIVES
include "dialect/Op.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def Nacre_GradientOp : Nacre_Op<"gradient", [
    Pure, AllTypesMatch<["wrt", "result"]>, DeclareOpInterfaceMethods<KnowsExtents>]> {
  let summary = "the derivative of a real scalar with respect to a value that it was computed from";
  let description = [{
    `nacre-differentiate` replaces it by the adjoint of what lies between the two. All gradients of one scalar in one
    block become one backward pass.
  }];
  let arguments = (ins Nacre_Tensor:$of, Nacre_Tensor:$wrt);
  let results = (outs Nacre_Tensor:$result);
  let assemblyFormat = "$of `:` type($of) `wrt` $wrt attr-dict `:` type($wrt)";
}

def Nacre_StopGradientOp : Nacre_Op<"stop_gradient", [
    Pure, SameOperandsAndResultType, DeclareOpInterfaceMethods<KnowsExtents>]> {
  let summary = "the value itself; no derivative passes through";
  let arguments = (ins Nacre_Tensor:$operand);
  let results = (outs Nacre_Tensor:$result);
  let assemblyFormat = "$operand attr-dict `:` type($operand)";
}

def Nacre_CustomOp : Nacre_Op<"custom", [
    Pure, DeclareOpInterfaceMethods<Differentiable>, DeclareOpInterfaceMethods<KnowsExtents>]> {
  let summary = "a call of a function whose derivative the source gives";
  let description = [{
    `body` has the operands as block arguments and yields the results. `backward` has the operands, the results and the
    cotangents of the results, and yields the cotangents of the real operands in order. Replaced by `body` once derivatives are taken.
  }];
  let arguments = (ins StrAttr:$name, Variadic<Nacre_Tensor>:$inputs);
  let results = (outs Variadic<Nacre_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body, SizedRegion<1>:$backward);
  let assemblyFormat = [{
    $name `(` ($inputs^ `:` type($inputs))? `)` $body `backward` $backward attr-dict `:` type($results)
  }];
  let hasVerifier = 1;
}

def Nacre_ReturnOp : Nacre_Op<"return", [Pure, Terminator, ReturnLike, ParentOneOf<["CustomOp"]>]> {
  let summary = "ends a region with several values";
  let arguments = (ins Variadic<Nacre_Tensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}
#endif
