// RUN: %nacre-opt %s -nacre-hoist-from-loops | %FileCheck %s
#map = affine_map<(i) -> (i)>

// What depends on x alone leaves the loop with its destination; what depends on the round stays.
// CHECK-LABEL: func.func @once
// CHECK: %[[E:.*]] = linalg.generic
// CHECK: math.exp
// CHECK: scf.for
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[E]] :
// CHECK-NOT: math.exp
// CHECK: return
func.func @once(%x: tensor<8xf32>, %h0: tensor<8xf32>) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %r = scf.for %i = %c0 to %c9 step %c1 iter_args(%h = %h0) -> tensor<8xf32> {
    %place = tensor.empty() : tensor<8xf32>
    %e = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]}
        ins(%x : tensor<8xf32>) outs(%place : tensor<8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %v = math.exp %a : f32
      linalg.yield %v : f32
    } -> tensor<8xf32>
    %n = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel"]}
        ins(%h, %e : tensor<8xf32>, tensor<8xf32>) outs(%place : tensor<8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %v = arith.mulf %a, %b : f32
      linalg.yield %v : f32
    } -> tensor<8xf32>
    scf.yield %n : tensor<8xf32>
  }
  return %r : tensor<8xf32>
}
