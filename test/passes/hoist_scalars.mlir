// RUN: %nacre-opt %s -nacre-hoist-scalars -canonicalize | %FileCheck %s
#id = affine_map<(i) -> (i)>
#none = affine_map<(i) -> ()>

// The bias correction of an optimiser: a power of the step's number is one number, not one per element. The quotient by
// an element stays, and so does the sum that costs nothing.
// CHECK-LABEL: func.func @correction
// CHECK-SAME:    %[[W:.*]]: tensor<8xf32>, %[[T:.*]]: tensor<i32>
// CHECK:         %[[C:.*]] = linalg.generic {{.*}} iterator_types = []} ins(%[[T]] : tensor<i32>)
// CHECK:           arith.sitofp
// CHECK:           math.powf
// CHECK:           arith.divf
// CHECK:         %[[R:.*]] = linalg.generic {{.*}} ins(%[[W]], %[[T]], %[[C]] : tensor<8xf32>, tensor<i32>, tensor<f32>)
// CHECK-SAME:      attrs = {nacre.backward}
// CHECK-NEXT:    ^bb0(%[[E:.*]]: f32, %[[N:.*]]: i32, %[[K:.*]]: f32, %{{.*}}: f32):
// CHECK-NOT:       math.powf
// CHECK:           arith.addi %[[N]]
// CHECK:           arith.mulf %[[E]], %[[K]]
// CHECK:           arith.divf
// CHECK:           linalg.yield
// CHECK:         return %[[R]]
func.func @correction(%w: tensor<8xf32>, %t: tensor<i32>) -> tensor<8xf32> {
  %beta = arith.constant 0.9 : f32
  %rate = arith.constant 0.001 : f32
  %one = arith.constant 1 : i32
  %place = tensor.empty() : tensor<8xf32>
  %r = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel"]}
      ins(%w, %t : tensor<8xf32>, tensor<i32>) outs(%place : tensor<8xf32>) attrs = {nacre.backward} {
  ^bb0(%e: f32, %n: i32, %o: f32):
    %f = arith.sitofp %n : i32 to f32
    %p = math.powf %beta, %f : f32
    %c = arith.divf %rate, %p : f32
    %next = arith.addi %n, %one : i32
    %g = arith.sitofp %next : i32 to f32
    %s = arith.mulf %e, %c : f32
    %q = arith.divf %g, %s : f32
    linalg.yield %q : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// Nothing that differs from element to element moves, and truth values stay where they are.
// CHECK-LABEL: func.func @stays
// CHECK:         linalg.generic
// CHECK-SAME:      iterator_types = ["parallel"]
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @stays(%w: tensor<8xf32>, %t: tensor<f32>) -> tensor<8xf32> {
  %zero = arith.constant 0.0 : f32
  %place = tensor.empty() : tensor<8xf32>
  %r = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel"]}
      ins(%w, %t : tensor<8xf32>, tensor<f32>) outs(%place : tensor<8xf32>) {
  ^bb0(%e: f32, %n: f32, %o: f32):
    %x = math.exp %e : f32
    %p = arith.cmpf olt, %n, %zero : f32
    %s = arith.select %p, %x, %e : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %r : tensor<8xf32>
}
