// RUN: %nacre-opt %s -nacre-inline-keep | %FileCheck %s

// CHECK-LABEL: func.func @twice
// CHECK-NOT: nacre.keep
// CHECK: %[[E:.*]] = nacre.equation {{.*}}reads (%arg0 :
// CHECK: return %[[E]]
func.func @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = nacre.keep "outer"(%x : tensor<4xf32>) {
  ^bb0(%a: tensor<4xf32>):
    %z = nacre.keep "inner"(%a : tensor<4xf32>) {
    ^bb0(%b: tensor<4xf32>):
      %e = nacre.equation extents<() -> (4)> reads (%b : tensor<4xf32> at (i) -> (i)) {
      ^bb0(%s: f32):
        %t = nacre.tanh %s : f32
        nacre.yield %t : f32
      } : tensor<4xf32>
      nacre.yield %e : tensor<4xf32>
    } : tensor<4xf32>
    nacre.yield %z : tensor<4xf32>
  } : tensor<4xf32>
  return %y : tensor<4xf32>
}
