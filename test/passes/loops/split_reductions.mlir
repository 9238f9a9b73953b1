// RUN: %nacre-opt --nacre-split-reductions %s | %FileCheck %s
#mc = affine_map<(c, m) -> (m, c)>
#c = affine_map<(c, m) -> (c)>
#t = affine_map<(c, m) -> (c, m)>

// 16 partial sums of 2048 rows, and their sum.
// CHECK-LABEL: func.func @columns
// CHECK-SAME: %[[X:.*]]: tensor<32768x64xf32>
// CHECK: %[[PARTS:.*]] = tensor.expand_shape %[[X]] {{\[}}[0, 1], [2]] output_shape [16, 2048, 64]
// CHECK: %[[P:.*]] = linalg.generic {{.*}}["parallel", "parallel", "reduction"]} ins(%[[PARTS]] {{.*}} outs({{.*}} : tensor<16x64xf32>)
// CHECK: linalg.generic {{.*}}["reduction", "parallel"]} ins(%[[P]] {{.*}} outs({{.*}} : tensor<64xf32>)
func.func @columns(%x: tensor<32768x64xf32>) -> tensor<64xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  %r = linalg.generic {indexing_maps = [#mc, #c], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32768x64xf32>) outs(%f : tensor<64xf32>) {
  ^bb0(%a: f32, %c: f32):
    %s = arith.addf %c, %a : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  return %r : tensor<64xf32>
}

// A maximum starts each part from its neutral element and the whole from what was there.
// CHECK-LABEL: func.func @largest
// CHECK-SAME: , %[[INIT:.*]]: tensor<64xf32>
// CHECK: %[[LEAST:.*]] = arith.constant 0xFF800000 : f32
// CHECK: linalg.fill ins(%[[LEAST]]
// CHECK: linalg.generic {{.*}}["reduction", "parallel"]} {{.*}} outs(%[[INIT]]
func.func @largest(%x: tensor<32768x64xf32>, %init: tensor<64xf32>) -> tensor<64xf32> {
  %r = linalg.generic {indexing_maps = [#mc, #c], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32768x64xf32>) outs(%init : tensor<64xf32>) {
  ^bb0(%a: f32, %c: f32):
    %s = arith.maximumf %c, %a : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  return %r : tensor<64xf32>
}

// Short, or of a size that only the call knows: left as it is.
// CHECK-LABEL: func.func @short
// CHECK-NOT: expand_shape
func.func @short(%x: tensor<64x512xf32>, %init: tensor<512xf32>) -> tensor<512xf32> {
  %r = linalg.generic {indexing_maps = [#mc, #c], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<64x512xf32>) outs(%init : tensor<512xf32>) {
  ^bb0(%a: f32, %c: f32):
    %s = arith.addf %c, %a : f32
    linalg.yield %s : f32
  } -> tensor<512xf32>
  return %r : tensor<512xf32>
}
// CHECK-LABEL: func.func @unknown
// CHECK-NOT: expand_shape
func.func @unknown(%x: tensor<?x64xf32>, %init: tensor<64xf32>) -> tensor<64xf32> {
  %r = linalg.generic {indexing_maps = [#mc, #c], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x64xf32>) outs(%init : tensor<64xf32>) {
  ^bb0(%a: f32, %c: f32):
    %s = arith.addf %c, %a : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  return %r : tensor<64xf32>
}

// The gradient of a filter from more than the cache holds: partial results stay below what is read.
// CHECK-LABEL: func.func @filter
// CHECK: tensor.expand_shape {{.*}} output_shape [2, 16, 10, 10, 256]
// CHECK: linalg.generic {{.*}} outs({{.*}} : tensor<2x256x3x3x256xf32>)
// CHECK: linalg.generic {{.*}} outs({{.*}} : tensor<256x3x3x256xf32>)
func.func @filter(%x: tensor<32x10x10x256xf32>, %dy: tensor<32x8x8x256xf32>, %y: tensor<256x3x3x256xf32>) -> tensor<256x3x3x256xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(g, u, v, f, m, i, j) -> (m, i + u, j + v, g)>, affine_map<(g, u, v, f, m, i, j) -> (m, i, j, f)>,
                                        affine_map<(g, u, v, f, m, i, j) -> (g, u, v, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %dy : tensor<32x10x10x256xf32>, tensor<32x8x8x256xf32>) outs(%y : tensor<256x3x3x256xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<256x3x3x256xf32>
  return %r : tensor<256x3x3x256xf32>
}

// Near miss: a product whose left operand has its terms side by side reads whole lines; and so many results that even
// two parts would be more than what is read.
// CHECK-LABEL: func.func @product
// CHECK-NOT: expand_shape
func.func @product(%x: tensor<1024x2048xf32>, %w: tensor<2048x768xf32>, %y: tensor<1024x768xf32>) -> tensor<1024x768xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<1024x2048xf32>, tensor<2048x768xf32>) outs(%y : tensor<1024x768xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1024x768xf32>
  return %r : tensor<1024x768xf32>
}

// CHECK-LABEL: func.func @many_results
// CHECK-NOT: expand_shape
func.func @many_results(%x: tensor<2048x1024xf32>, %w: tensor<2048x1024xf32>, %y: tensor<1024x1024x4xf32>) -> tensor<1024x1024x4xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, q, k) -> (k, m)>, affine_map<(m, n, q, k) -> (k, n)>, affine_map<(m, n, q, k) -> (m, n, q)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<2048x1024xf32>, tensor<2048x1024xf32>) outs(%y : tensor<1024x1024x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1024x1024x4xf32>
  return %r : tensor<1024x1024x4xf32>
}

// A product of long rows: 16 chunks of 256 terms. As many as the matrix has times the cache would be 128, whose partial
// sums were as large as the matrix.
// CHECK-LABEL: func.func @long_rows
// CHECK: linalg.generic {{.*}} outs({{.*}} : tensor<16x32x4096xf32>)
// CHECK: linalg.generic {{.*}} outs({{.*}} : tensor<32x4096xf32>)
func.func @long_rows(%x: tensor<32x4096xf32>, %w: tensor<4096x4096xf32>) -> tensor<32x4096xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<32x4096xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<32x4096xf32>) -> tensor<32x4096xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<32x4096xf32>, tensor<4096x4096xf32>) outs(%f : tensor<32x4096xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x4096xf32>
  return %r : tensor<32x4096xf32>
}
