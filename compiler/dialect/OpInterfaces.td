// What ops of the dialect can do for the passes. A pass asks an interface; only ops/ names the ops.
#ifndef NACRE_OP_INTERFACES
#define NACRE_OP_INTERFACES
include "mlir/IR/OpBase.td"

def LowersToLinalg : OpInterface<"LowersToLinalg"> {
  let cppNamespace = "::nacre";
  let description = "A tensor value that rewrites itself into linalg, tensor and arith.";
  let methods = [
    InterfaceMethod<"Creates the lowered form and maps the results to it.", "::llvm::LogicalResult", "lowerToLinalg",
                    (ins "::nacre::LinalgLowering &":$lowering)>
  ];
}

def LowersToScalar : OpInterface<"LowersToScalar"> {
  let cppNamespace = "::nacre";
  let description = [{
    A scalar value inside an equation that rewrites itself into arith and math. Operands arrive lowered: integers without
    a sign, which the op still sees in its own types.
  }];
  let methods = [
    InterfaceMethod<"Creates the lowered form of the one result.", "::mlir::Value", "lowerToScalar",
                    (ins "::nacre::ScalarLowering &":$lowering, "::mlir::ValueRange":$operands)>
  ];
}

def ScalarPrimitive : OpInterface<"ScalarPrimitive", [LowersToScalar]> {
  let cppNamespace = "::nacre";
  let description = "A row of the language's table of primitives.";
  let methods = [
    StaticInterfaceMethod<"Same, Boolean or Integer32, as in the table.", "::llvm::StringRef", "resultRule", (ins)>
  ];
}

def IndexSpace : OpInterface<"IndexSpace"> {
  let cppNamespace = "::nacre";
  let description = [{
    An op whose body runs at every point of a box: the parent of `nacre.index` and `nacre.element`. Inputs are read once
    per point at the subscripts of their maps, in range by proof; the block arguments are the elements.
  }];
  let methods = [
    InterfaceMethod<"The range of each index, from 0, over the sizes.", "::mlir::AffineMap", "getExtents", (ins)>,
    InterfaceMethod<"The symbols of all maps.", "::mlir::ValueRange", "getSizes", (ins)>,
    InterfaceMethod<"The tensors that are read.", "::mlir::ValueRange", "getInputs", (ins)>,
    InterfaceMethod<"The subscripts of each input.", "::mlir::ArrayAttr", "getMaps", (ins)>,
    InterfaceMethod<"What happens at a point.", "::mlir::Region &", "getBody", (ins)>
  ];
}

def KnowsExtents : OpInterface<"KnowsExtents"> {
  let cppNamespace = "::nacre";
  let description = "An op that can say how its results, and the block arguments of its regions, are shaped.";
  let methods = [
    InterfaceMethod<"Extents of a result or block argument of dynamic shape; nothing if they are not known.",
                    "::std::optional<::nacre::Extents>", "knownExtents", (ins "::mlir::Value":$value)>
  ];
}

def HasExtents : OpInterface<"HasExtents"> {
  let cppNamespace = "::nacre";
  let description = "A tensor whose extents are an affine function of values of type index.";
  let methods = [
    InterfaceMethod<"One result per axis, over symbols only.", "::mlir::AffineMap", "extentsMap", (ins)>,
    InterfaceMethod<"The symbols of the map.", "::mlir::ValueRange", "extentsSymbols", (ins)>
  ];
}

def ScalarDerivative : OpInterface<"ScalarDerivative"> {
  let cppNamespace = "::nacre";
  let description = "A scalar op that has an answer to what it contributes to its operands, be it nothing.";
  let methods = [
    InterfaceMethod<"Adds the contribution of this op to its operands, given the cotangent of its result.", "void",
                    "differentiate", (ins "::nacre::ScalarCotangents &":$cotangents, "::mlir::Value":$cotangent)>
  ];
}

def Differentiable : OpInterface<"Differentiable"> {
  let cppNamespace = "::nacre";
  let description = "A tensor op that passes the cotangents of its results on to its operands.";
  let methods = [
    InterfaceMethod<"Adds the contribution of this op to every operand that is wanted.", "::llvm::LogicalResult",
                    "propagate", (ins "::nacre::Cotangents &":$cotangents)>
  ];
}
#endif
