// RUN: %nacre-opt --nacre-permute-results="vector-bits=512" %s | %FileCheck %s
#dy = affine_map<(f, g, u, v, m, i, j) -> (m, i, j, f)>
#x = affine_map<(f, g, u, v, m, i, j) -> (m, i + u, j + v, g)>
#dw = affine_map<(f, g, u, v, m, i, j) -> (f, g, u, v)>
#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// CHECK-DAG: #[[LAST:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d1, d2, d3, d0)>
// CHECK-DAG: #[[READ:.*]] = affine_map<(d0, d1, d2, d3) -> (d1, d2, d3, d0)>

// The gradient of a filter: its channels of the result go last, and the copy puts them in order.
// CHECK-LABEL: func.func @filter
// CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<6x5x5x16xf32>
// CHECK: %[[ZERO:.*]] = linalg.fill ins(%{{.*}}) outs(%[[EMPTY]]
// CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [{{.*}}, #[[LAST]]]{{.*}} outs(%[[ZERO]] : tensor<6x5x5x16xf32>)
// CHECK: %[[COPY:.*]] = linalg.generic {indexing_maps = [#[[READ]], {{.*}}]{{.*}} ins(%[[SUM]]
// CHECK: return %[[COPY]]
func.func @filter(%dy: tensor<8x10x10x16xf32>, %x: tensor<8x14x14x6xf32>) -> tensor<16x6x5x5xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<16x6x5x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<16x6x5x5xf32>) -> tensor<16x6x5x5xf32>
  %r = linalg.generic {indexing_maps = [#dy, #x, #dw],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%dy, %x : tensor<8x10x10x16xf32>, tensor<8x14x14x6xf32>) outs(%f : tensor<16x6x5x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<16x6x5x5xf32>
  return %r : tensor<16x6x5x5xf32>
}

// Columns of a product are packed instead, and stay last.
// CHECK-LABEL: func.func @product
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<64x512xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @product(%x: tensor<64x784xf32>, %w: tensor<512x784xf32>) -> tensor<64x512xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x512xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<64x512xf32>) -> tensor<64x512xf32>
  %r = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<64x784xf32>, tensor<512x784xf32>) outs(%f : tensor<64x512xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<64x512xf32>
  return %r : tensor<64x512xf32>
}

// A matrix that would have to be transposed through memory for every call: the rows go last, and the few of them are
// what is transposed. The number of rows may be known to the call alone.
// CHECK-LABEL: func.func @large
// CHECK-SAME: %[[N:.*]]: index,
// CHECK: %[[EMPTY:.*]] = tensor.empty(%[[N]]) : tensor<1024x?xf32>
// CHECK: %[[ZERO:.*]] = linalg.fill ins(%{{.*}}) outs(%[[EMPTY]]
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} outs(%[[ZERO]] : tensor<1024x?xf32>)
// CHECK: %[[PLACE:.*]] = tensor.empty(%[[N]]) : tensor<?x1024xf32>
// CHECK: %[[COPY:.*]] = linalg.generic {{.*}} ins(%[[SUM]] {{.*}} outs(%[[PLACE]]
// CHECK: return %[[COPY]]
func.func @large(%n: index, %x: tensor<?x2048xf32>, %w: tensor<1024x2048xf32>) -> tensor<?x1024xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x1024xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x1024xf32>) -> tensor<?x1024xf32>
  %r = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x2048xf32>, tensor<1024x2048xf32>) outs(%f : tensor<?x1024xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x1024xf32>
  return %r : tensor<?x1024xf32>
}

// A weight that only the program's owner changes is packed when it is loaded.
// CHECK-LABEL: func.func @weight
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<32x1024xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @weight(%x: tensor<32x2048xf32>, %w: tensor<1024x2048xf32> {nacre.weight = array<i64: 0, 0>}) -> tensor<32x1024xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<32x1024xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<32x1024xf32>) -> tensor<32x1024xf32>
  %r = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<32x2048xf32>, tensor<1024x2048xf32>) outs(%f : tensor<32x1024xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x1024xf32>
  return %r : tensor<32x1024xf32>
}
