// RUN: %nacre-opt --nacre-approximate-math %s | %FileCheck %s

// CHECK-LABEL: func.func @vectors
// CHECK-NOT:     math.exp
// CHECK-NOT:     math.tanh
// CHECK-NOT:     math.rsqrt
// CHECK:         math.sqrt {{.*}} : vector<16xf32>
// CHECK:         return
func.func @vectors(%x: vector<16xf32>) -> vector<16xf32> {
  %e = math.exp %x : vector<16xf32>
  %t = math.tanh %e : vector<16xf32>
  %r = math.rsqrt %t : vector<16xf32>
  return %r : vector<16xf32>
}

// Scalars keep the accuracy of the C library.
// CHECK-LABEL: func.func @scalars
// CHECK:         math.exp {{.*}} : f32
// CHECK:         math.log {{.*}} : f64
func.func @scalars(%x: f32, %y: f64) -> (f32, f64) {
  %e = math.exp %x : f32
  %l = math.log %y : f64
  return %e, %l : f32, f64
}
