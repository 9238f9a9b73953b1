// RUN: %nacre-opt %s -nacre-hoist-weight-work | %FileCheck %s

// Ten columns in a panel of sixteen move each weight once: the panel is prepared, though it has room for more. The same
// weights repeated three times are cheaper to read where they are.
#matrix = affine_map<(o, k) -> (o, k)>
#panel = affine_map<(o, k) -> (o floordiv 16, k, o mod 16)>
#vector = affine_map<(r, k) -> (k)>
module @m attributes {nacre.models = ["net"], nacre.weight_counts = array<i64: 2>} {
  // CHECK-LABEL: func.func @m_a
  // CHECK-SAME: tensor<1x8x16xf32> {nacre.prepared = array<i64: 0, 0>}
  // CHECK-NOT: nacre.prepared = array<i64: 0, 1>
  // CHECK: linalg.generic
  // CHECK: } -> tensor<3x8xf32>
  func.func @m_a(%w: tensor<10x8xf32> {nacre.weight = array<i64: 0, 0>}, %b: tensor<8xf32> {nacre.weight = array<i64: 0, 1>},
                 %x: tensor<1x8x16xf32> {nacre.argument = 0 : i64})
      -> (tensor<1x8x16xf32> {nacre.result = 0 : i64}, tensor<3x8xf32> {nacre.result = 1 : i64})
      attributes {nacre.entry = "a", nacre.models = array<i64: 0>} {
    %0 = tensor.empty() : tensor<1x8x16xf32>
    %1 = linalg.generic {indexing_maps = [#matrix, #panel], iterator_types = ["parallel", "parallel"]}
        ins(%w : tensor<10x8xf32>) outs(%0 : tensor<1x8x16xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x8x16xf32>
    %2 = arith.addf %x, %1 : tensor<1x8x16xf32>
    %3 = tensor.empty() : tensor<3x8xf32>
    %4 = linalg.generic {indexing_maps = [#vector, #matrix], iterator_types = ["parallel", "parallel"]}
        ins(%b : tensor<8xf32>) outs(%3 : tensor<3x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<3x8xf32>
    return %2, %4 : tensor<1x8x16xf32>, tensor<3x8xf32>
  }
}
