// All records of the dialect, in reading order.
#ifndef NACRE_OPS
#define NACRE_OPS
include "ops/Equation.td"
include "ops/Scalars.td"
include "ops/Primitives.td"
include "ops/Tensors.td"
include "ops/Movement.td"
include "ops/Attention.td"
include "ops/Derivatives.td"
include "ops/Control.td"
#endif
