// RUN: %nacre-opt %s -nacre-bufferize -canonicalize | %FileCheck %s
#in = affine_map<(i) -> (i)>
#out = affine_map<(i) -> ()>

// Two sums that start from one shared zero end in two results of the caller, without copies.
// CHECK-LABEL: func.func @two_sums
// CHECK-SAME: %[[X:.*]]: memref<9xf32>, %[[A:.*]]: memref<f32>{{.*}}, %[[B:.*]]: memref<f32>
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK-DAG: linalg.fill {{.*}} outs(%[[A]] :
// CHECK-DAG: linalg.fill {{.*}} outs(%[[B]] :
// CHECK: linalg.generic {{.*}} outs(%[[A]] :
// CHECK: linalg.generic {{.*}} outs(%[[B]] :
// CHECK-NOT: linalg.generic
func.func @two_sums(%x: tensor<9xf32>) -> (tensor<f32>, tensor<f32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %a = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["reduction"]}
      ins(%x : tensor<9xf32>) outs(%f : tensor<f32>) {
  ^bb0(%s: f32, %o: f32):
    %t = arith.addf %o, %s : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  %b = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["reduction"]}
      ins(%x : tensor<9xf32>) outs(%f : tensor<f32>) {
  ^bb0(%s: f32, %o: f32):
    %p = arith.mulf %s, %s : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<f32>
  return %a, %b : tensor<f32>, tensor<f32>
}
