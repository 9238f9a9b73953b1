// The dialect between the checked program and linalg: one op per value of a model.
#ifndef NACRE_DIALECT
#define NACRE_DIALECT
include "mlir/IR/OpBase.td"

def Nacre_Dialect : Dialect {
  let name = "nacre";
  let cppNamespace = "::nacre";
  let summary = "values of a neural network: index equations and the few things that no equation says";
  let description = [{
    A function of this dialect is one entry, test, initialiser or preparation of a model. Its values are tensors; nearly
    all of them are index equations (`nacre.equation`), whose bodies are made of scalar primitives (`nacre.exp`, ...).

    Element types are those of the language: `f64 f32 f16 bf16 i64 i32 i8`, `ui64`, `ui8`, and `i1` for bool. The sign of
    an integer is in its type here and in the op after lowering to `linalg`.

    Every extent that is not static is given by `extents`, an affine map from the op's `sizes` (values of type `index`).

    Attributes of function arguments: `nacre.dimension = "n"` (a run-time size, type `index`),
    `nacre.weight = [model, number]`, `nacre.path = "fc1.weight"`, `nacre.prepared = [model, number]`,
    `nacre.argument = 0`, `nacre.result = 0`, and `nacre.extents`, a map from the function's dimensions to the shape.

    A function of a `train` block carries `nacre.training`: its weights change with every call. What it leaves in a weight
    is a result marked `nacre.store = [model, number]`, after the ordinary ones; every read of the call sees the old value.
    `nacre.mixed` beside it: contractions read bf16.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect"];
}
#endif
