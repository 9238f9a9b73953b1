// RUN: %nacre-opt --nacre-pack-operands="vector-bits=512" %s | %FileCheck %s

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// CHECK-DAG: #[[PANEL:.*]] = affine_map<(d0, d1) -> (d0 floordiv 32, d1, d0 mod 32)>
// CHECK-DAG: #[[READ:.*]] = affine_map<(d0, d1, d2) -> (d1 floordiv 32, d2, d1 mod 32)>

// 40 columns: two panels of 32.
// CHECK-LABEL: func.func @weight
// CHECK:         %[[EMPTY:.*]] = tensor.empty() : tensor<2x96x32xf32>
// CHECK:         %[[PACKED:.*]] = linalg.generic {indexing_maps = [{{.*}}, #[[PANEL]]]{{.*}} outs(%[[EMPTY]]
// CHECK:         linalg.generic {indexing_maps = [{{.*}}, #[[READ]], {{.*}}]{{.*}} ins(%{{.*}}, %[[PACKED]]
func.func @weight(%x: tensor<?x96xf32>, %w: tensor<40x96xf32> {nacre.weight = array<i64: 0, 1>}, %y: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %r = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x96xf32>, tensor<40x96xf32>) outs(%y : tensor<?x40xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x40xf32>
  return %r : tensor<?x40xf32>
}

// Rows of A lie 2 KB apart: panels of 48, for tiles of eight rows.
// CHECK-LABEL: func.func @conflicting_rows
// CHECK:         tensor.empty() : tensor<11x512x48xf32>
func.func @conflicting_rows(%x: tensor<512x512xf32>, %w: tensor<512x512xf32>, %y: tensor<512x512xf32>) -> tensor<512x512xf32> {
  %r = linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<512x512xf32>, tensor<512x512xf32>) outs(%y : tensor<512x512xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<512x512xf32>
  return %r : tensor<512x512xf32>
}

// Near miss: an operand that is no weight and serves four rows only is read where it lies.
// CHECK-LABEL: func.func @few_rows
// CHECK-NOT:     tensor.empty
func.func @few_rows(%x: tensor<4x512xf32>, %w: tensor<512x512xf32>, %y: tensor<4x512xf32>) -> tensor<4x512xf32> {
  %r = linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x512xf32>, tensor<512x512xf32>) outs(%y : tensor<4x512xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x512xf32>
  return %r : tensor<4x512xf32>
}

// Near miss: a sum over one tensor is no product.
// CHECK-LABEL: func.func @column_sums
// CHECK-NOT:     tensor.empty
func.func @column_sums(%w: tensor<512x64xf32> {nacre.weight = array<i64: 0, 0>}, %y: tensor<64xf32>) -> tensor<64xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(n, k) -> (k, n)>, affine_map<(n, k) -> (n)>], iterator_types = ["parallel", "reduction"]}
      ins(%w : tensor<512x64xf32>) outs(%y : tensor<64xf32>) {
  ^bb0(%b: f32, %c: f32):
    %s = arith.addf %c, %b : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  return %r : tensor<64xf32>
}

// One tap of a filter has two panels only, but its columns lie nine apart: it is packed.
// CHECK-LABEL: func.func @tap
// CHECK:         %[[TAP:.*]] = tensor.extract_slice
// CHECK:         %[[EMPTY:.*]] = tensor.empty() : tensor<2x96x32xf32>
// CHECK:         linalg.generic {{.*}} ins(%[[TAP]] : {{.*}} outs(%[[EMPTY]]
func.func @tap(%x: tensor<80x96xf32>, %w: tensor<96x64x3x3xf32>, %y: tensor<80x64xf32>) -> tensor<80x64xf32> {
  %tap = tensor.extract_slice %w[0, 0, 1, 1] [96, 64, 1, 1] [1, 1, 1, 1] : tensor<96x64x3x3xf32> to tensor<96x64xf32>
  %r = linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %tap : tensor<80x96xf32>, tensor<96x64xf32>) outs(%y : tensor<80x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<80x64xf32>
  return %r : tensor<80x64xf32>
}

// Near miss: a part whose last axis is that of the whole is a stream where it lies.
// CHECK-LABEL: func.func @part
// CHECK-NOT:     tensor.empty
func.func @part(%x: tensor<80x96xf32>, %w: tensor<3x96x64xf32>, %y: tensor<80x64xf32>) -> tensor<80x64xf32> {
  %part = tensor.extract_slice %w[1, 0, 0] [1, 96, 64] [1, 1, 1] : tensor<3x96x64xf32> to tensor<96x64xf32>
  %r = linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %part : tensor<80x96xf32>, tensor<96x64xf32>) outs(%y : tensor<80x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<80x64xf32>
  return %r : tensor<80x64xf32>
}
