// The record that every op of the dialect extends.
#ifndef NACRE_OP
#define NACRE_OP
include "dialect/Dialect.td"
include "dialect/OpInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Nacre_Op<string mnemonic, list<Trait> traits = []> : Op<Nacre_Dialect, mnemonic, traits>;

/// A value of a function: a tensor, computed without side effects.
class Nacre_TensorOp<string mnemonic, list<Trait> traits = []>
    : Nacre_Op<mnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<LowersToLinalg>], traits)>;

/// A value inside the body of an equation.
class Nacre_ScalarOp<string mnemonic, list<Trait> traits = []>
    : Nacre_Op<mnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<LowersToScalar>], traits)>;

def Nacre_Tensor : TensorRankOf<[AnyType], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]>;
def Nacre_Number : AnyTypeOf<[AnyFloat, AnyInteger], "a number or a bool">;
#endif
