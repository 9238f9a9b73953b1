// RUN: %nacre-opt %s -pass-pipeline='builtin.module(func.func(nacre-fuse-elementwise))' | %FileCheck %s
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
#one = affine_map<(i) -> (i)>

// CHECK-LABEL: func.func @chain
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT: linalg.generic
func.func @chain(%x: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %e = tensor.empty() : tensor<4x5xf32>
  %a = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = math.exp %s : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  %b = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = arith.addf %s, %s : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  return %b : tensor<4x5xf32>
}

// A root per row is not computed again for every column.
// CHECK-LABEL: func.func @costly_broadcast
// CHECK: math.sqrt
// CHECK: linalg.generic
// CHECK: arith.mulf
func.func @costly_broadcast(%v: tensor<4xf32>, %x: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %e1 = tensor.empty() : tensor<4xf32>
  %r = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]}
      ins(%v : tensor<4xf32>) outs(%e1 : tensor<4xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = math.sqrt %s : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %e = tensor.empty() : tensor<4x5xf32>
  %b = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x, %r : tensor<4x5xf32>, tensor<4xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %w: f32, %o: f32):
    %t = arith.mulf %s, %w : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  return %b : tensor<4x5xf32>
}
