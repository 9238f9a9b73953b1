// RUN: %nacre-opt %s -nacre-lower-scalar-math | %FileCheck %s

// CHECK-LABEL: func.func @library
// CHECK: call @expf
// CHECK: call @erf(
// CHECK: math.sqrt
// CHECK: math.roundeven
func.func @library(%x: f32, %y: f64) -> (f32, f64, f32, f32) {
  %a = math.exp %x : f32
  %b = math.erf %y : f64
  %c = math.sqrt %x : f32
  %d = math.roundeven %x : f32
  return %a, %b, %c, %d : f32, f64, f32, f32
}

// CHECK-LABEL: func.func @halves
// CHECK-NOT: arith.truncf
// CHECK: arith.shli
func.func @halves(%x: bf16) -> bf16 {
  %wide = arith.extf %x : bf16 to f32
  %twice = arith.addf %wide, %wide : f32
  %back = arith.truncf %twice : f32 to bf16
  return %back : bf16
}
