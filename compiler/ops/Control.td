// Loops of the model.
#ifndef NACRE_CONTROL
#define NACRE_CONTROL
include "dialect/Op.td"

def Nacre_LoopOp : Nacre_TensorOp<"loop", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<KnowsExtents>, DeclareOpInterfaceMethods<Differentiable>]> {
  let summary = "rounds with carried tensors; what a round yields is stacked";
  let description = [{
    `body` has the counter (type index, usable as a size of the ops inside) and the carried tensors as block arguments and ends in
    `nacre.next`. `condition` is empty, or has the carried tensors as block arguments and ends in `nacre.while`: the loop ends before
    the first round in which it is false. The counter runs over 0 .. rounds-1, downwards if `reverse`. Other values of the function are used as they are.
    `limit`: an i64 scalar, at most the number of rounds; the counter then runs over 0 .. limit-1.
    Results: the last carried tensors; each yielded tensor stacked on a new first axis in the order of the counter
    (rounds that did not run: zeros); with a condition, the number of rounds run, a scalar i64.
  }];
  let arguments = (ins Variadic<Nacre_Tensor>:$initial, Optional<Nacre_Tensor>:$limit, Variadic<Index>:$sizes,
                       AffineMapAttr:$rounds, UnitAttr:$reverse, UnitAttr:$checkpoint);
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    unsigned carriedCount() { return getInitial().size(); }
    unsigned yieldCount() { return getNumResults() - carriedCount() - (hasCondition() ? 1 : 0); }
    bool hasCondition() { return !getCondition().empty(); }
    ::mlir::BlockArgument counter() { return getBody().getArgument(0); }
    ::mlir::BlockArgument carriedArgument(unsigned number) { return getBody().getArgument(number + 1); }
    NextOp next();
  }];
  let results = (outs Variadic<Nacre_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body, AnyRegion:$condition);
  let assemblyFormat = [{
    `rounds` `` custom<BareMap>($rounds) (`[` $sizes^ `]`)? (`limit` $limit^ `:` type($limit))? (`reverse` $reverse^)? (`checkpoint` $checkpoint^)?
    `carries` `(` ($initial^ `:` type($initial))? `)` $body `while` $condition attr-dict `:` type($results)
  }];
}

def Nacre_NextOp : Nacre_Op<"next", [Pure, Terminator, ReturnLike, AttrSizedOperandSegments, ParentOneOf<["LoopOp"]>]> {
  let summary = "ends a round: the next carried tensors, and what the round yields";
  let arguments = (ins Variadic<Nacre_Tensor>:$carried, Variadic<Nacre_Tensor>:$yields);
  let assemblyFormat = [{
    `(` ($carried^ `:` type($carried))? `)` `yields` `(` ($yields^ `:` type($yields))? `)` attr-dict
  }];
}

def Nacre_WhileOp : Nacre_Op<"while", [Pure, Terminator, ReturnLike, ParentOneOf<["LoopOp"]>]> {
  let summary = "ends the condition of a loop: a bool scalar";
  let arguments = (ins Nacre_Tensor:$condition);
  let assemblyFormat = "$condition attr-dict `:` type($condition)";
}
#endif
