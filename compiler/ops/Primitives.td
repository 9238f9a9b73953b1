// One record per row of the table of primitives (dsl/program/Primitives.def); a test compares the two.
#ifndef NACRE_PRIMITIVES
#define NACRE_PRIMITIVES
include "dialect/Op.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

class Nacre_Primitive<string mnemonic, string rule, list<Trait> traits>
    : Nacre_ScalarOp<mnemonic, !listconcat([ScalarPrimitive, DeclareOpInterfaceMethods<ScalarDerivative>], traits)> {
  let extraClassDeclaration = "static ::llvm::StringRef resultRule() { return \"" # rule # "\"; }";
}
class Nacre_Unary<string mnemonic, string sentence>
    : Nacre_Primitive<mnemonic, "Same", [SameOperandsAndResultType]> {
  let summary = sentence;
  let arguments = (ins Nacre_Number:$operand);
  let results = (outs Nacre_Number:$result);
  let assemblyFormat = "$operand attr-dict `:` type($operand)";
}
class Nacre_Binary<string mnemonic, string sentence>
    : Nacre_Primitive<mnemonic, "Same", [SameOperandsAndResultType]> {
  let summary = sentence;
  let arguments = (ins Nacre_Number:$lhs, Nacre_Number:$rhs);
  let results = (outs Nacre_Number:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
}
class Nacre_Comparison<string mnemonic, string sentence>
    : Nacre_Primitive<mnemonic, "Boolean", [SameTypeOperands]> {
  let summary = sentence;
  let arguments = (ins Nacre_Number:$lhs, Nacre_Number:$rhs);
  let results = (outs I1:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
}
class Nacre_Logical<string mnemonic, string sentence> : Nacre_Primitive<mnemonic, "Boolean", []> {
  let summary = sentence;
  let arguments = (ins I1:$lhs, I1:$rhs);
  let results = (outs I1:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict";
}

def Nacre_NegateOp   : Nacre_Unary<"neg", "-x">;
def Nacre_AbsoluteOp : Nacre_Unary<"abs", "|x|">;
def Nacre_SignOp     : Nacre_Unary<"sign", "-1, 0 or 1; a NaN stays">;
def Nacre_ExpOp      : Nacre_Unary<"exp", "e^x">;
def Nacre_LogOp      : Nacre_Unary<"log", "natural logarithm">;
def Nacre_Log1pOp    : Nacre_Unary<"log1p", "log(1 + x), exact near 0">;
def Nacre_Expm1Op    : Nacre_Unary<"expm1", "e^x - 1, exact near 0">;
def Nacre_SqrtOp     : Nacre_Unary<"sqrt", "square root">;
def Nacre_RsqrtOp    : Nacre_Unary<"rsqrt", "1 / sqrt(x)">;
def Nacre_SinOp      : Nacre_Unary<"sin", "sine of an angle in radians">;
def Nacre_CosOp      : Nacre_Unary<"cos", "cosine of an angle in radians">;
def Nacre_TanhOp     : Nacre_Unary<"tanh", "hyperbolic tangent">;
def Nacre_ErfOp      : Nacre_Unary<"erf", "error function">;
def Nacre_FloorOp    : Nacre_Unary<"floor", "largest integer that is not above x">;
def Nacre_CeilOp     : Nacre_Unary<"ceil", "smallest integer that is not below x">;
def Nacre_RoundOp    : Nacre_Unary<"round", "nearest integer, half to even">;
def Nacre_NotOp      : Nacre_Primitive<"not", "Boolean", []> {
  let summary = "the other truth value";
  let arguments = (ins I1:$operand);
  let results = (outs I1:$result);
  let assemblyFormat = "$operand attr-dict";
}

def Nacre_AddOp         : Nacre_Binary<"add", "x + y; integers wrap">;
def Nacre_SubtractOp    : Nacre_Binary<"sub", "x - y; integers wrap">;
def Nacre_MultiplyOp    : Nacre_Binary<"mul", "x * y; integers wrap">;
def Nacre_DivideOp      : Nacre_Binary<"div", "x / y of real numbers">;
def Nacre_FloorDivideOp : Nacre_Binary<"floordiv", "floor(x / y) of integers; division by 0 gives 0">;
def Nacre_RemainderOp   : Nacre_Binary<"rem", "x - y * floor(x / y), with the sign of y; division by 0 gives 0 for integers">;
def Nacre_PowerOp       : Nacre_Binary<"pow", "x^y; of integers, a negative y gives the whole part of the result">;
def Nacre_MinimumOp     : Nacre_Binary<"minimum", "the smaller one; a NaN wins">;
def Nacre_MaximumOp     : Nacre_Binary<"maximum", "the larger one; a NaN wins">;
def Nacre_LessOp        : Nacre_Comparison<"lt", "x < y; false with a NaN">;
def Nacre_LessEqualOp   : Nacre_Comparison<"le", "x <= y; false with a NaN">;
def Nacre_EqualOp       : Nacre_Comparison<"eq", "x == y; false with a NaN">;
def Nacre_NotEqualOp    : Nacre_Comparison<"ne", "x != y; true with a NaN">;
def Nacre_AndOp         : Nacre_Logical<"and", "both">;
def Nacre_OrOp          : Nacre_Logical<"or", "at least one">;
def Nacre_XorOp         : Nacre_Logical<"xor", "exactly one">;

def Nacre_RandomBitsOp : Nacre_Primitive<"random_bits", "Integer32", []> {
  let summary = "a random number in 0 .. 2^24 - 1, a pure function of seed, key and counter";
  let description = [{
    The first word of Philox4x32-10 of the counter block (low, high word of `counter`, 0, 0) under the key (low, high word
    of `seed xor key`), shifted right by 8: 24 bits are exact in f32. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
  }];
  let arguments = (ins UI64:$seed, UI64:$key, I64:$counter);
  let results = (outs I32:$result);
  let assemblyFormat = "$seed `,` $key `,` $counter attr-dict";
}
#endif
