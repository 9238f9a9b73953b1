// RUN: %nacre-opt --nacre-crop-results %s | %FileCheck %s
// RUN: %python %source/test/passes/loops/run_both_ways.py %s --opt %nacre-opt --clang %cc
// What nobody reads is not computed, and what is read in parts is computed in parts.

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// One part: only its columns, and its rows of the other operand.
// CHECK-LABEL: func.func @part
// CHECK:         tensor.extract_slice %{{.*}}[40, 0] [80, 96] [1, 1]
// CHECK:         linalg.generic
// CHECK-SAME:      outs(%{{.*}} : tensor<4096x80xf32>)
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @part(%x: tensor<4096x96xf32>, %w: tensor<128x96xf32>) -> (tensor<4096x80xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4096x128xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4096x128xf32>) -> tensor<4096x128xf32>
  %r = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4096x96xf32>, tensor<128x96xf32>) outs(%f : tensor<4096x128xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<4096x128xf32>
  %s0 = tensor.extract_slice %r[0, 40] [4096, 80] [1, 1] : tensor<4096x128xf32> to tensor<4096x80xf32>
  return %s0 : tensor<4096x80xf32>
}

// Two parts side by side.
// CHECK-LABEL: func.func @parts
// CHECK:         linalg.generic
// CHECK-SAME:      outs(%{{.*}} : tensor<4096x64xf32>)
// CHECK:         linalg.generic
// CHECK-SAME:      outs(%{{.*}} : tensor<4096x64xf32>)
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @parts(%x: tensor<4096x96xf32>, %w: tensor<128x96xf32>) -> (tensor<4096x64xf32>, tensor<4096x64xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4096x128xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4096x128xf32>) -> tensor<4096x128xf32>
  %r = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4096x96xf32>, tensor<128x96xf32>) outs(%f : tensor<4096x128xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<4096x128xf32>
  %s0 = tensor.extract_slice %r[0, 0] [4096, 64] [1, 1] : tensor<4096x128xf32> to tensor<4096x64xf32>
  %s1 = tensor.extract_slice %r[0, 64] [4096, 64] [1, 1] : tensor<4096x128xf32> to tensor<4096x64xf32>
  return %s0, %s1 : tensor<4096x64xf32>, tensor<4096x64xf32>
}

// Near miss: columns 32 to 63 would be computed twice.
// CHECK-LABEL: func.func @overlapping
// CHECK:         outs(%{{.*}} : tensor<4096x128xf32>)
// CHECK-COUNT-2: tensor.extract_slice %{{.*}} : tensor<4096x128xf32>
func.func @overlapping(%x: tensor<4096x96xf32>, %w: tensor<128x96xf32>) -> (tensor<4096x64xf32>, tensor<4096x96xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4096x128xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4096x128xf32>) -> tensor<4096x128xf32>
  %r = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4096x96xf32>, tensor<128x96xf32>) outs(%f : tensor<4096x128xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<4096x128xf32>
  %s0 = tensor.extract_slice %r[0, 0] [4096, 64] [1, 1] : tensor<4096x128xf32> to tensor<4096x64xf32>
  %s1 = tensor.extract_slice %r[0, 32] [4096, 96] [1, 1] : tensor<4096x128xf32> to tensor<4096x96xf32>
  return %s0, %s1 : tensor<4096x64xf32>, tensor<4096x96xf32>
}

// Near miss: parts of 16 columns make thin tiles.
// CHECK-LABEL: func.func @narrow
// CHECK:         outs(%{{.*}} : tensor<4096x96xf32>)
func.func @narrow(%x: tensor<4096x96xf32>, %w: tensor<96x96xf32>) -> (tensor<4096x80xf32>, tensor<4096x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4096x96xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4096x96xf32>) -> tensor<4096x96xf32>
  %r = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4096x96xf32>, tensor<96x96xf32>) outs(%f : tensor<4096x96xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<4096x96xf32>
  %s0 = tensor.extract_slice %r[0, 0] [4096, 80] [1, 1] : tensor<4096x96xf32> to tensor<4096x80xf32>
  %s1 = tensor.extract_slice %r[0, 80] [4096, 16] [1, 1] : tensor<4096x96xf32> to tensor<4096x16xf32>
  return %s0, %s1 : tensor<4096x80xf32>, tensor<4096x16xf32>
}
