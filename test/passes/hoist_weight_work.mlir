// RUN: %nacre-opt %s -nacre-hoist-weight-work | %FileCheck %s

// The root of the variance depends on a weight only: it is computed once, for both entries, and the square of it with it.
module @m attributes {nacre.models = ["net"], nacre.weight_counts = array<i64: 1>} {
  // CHECK-LABEL: func.func @m_a
  // CHECK-SAME: %[[PREPARED:[a-z0-9]*]]: tensor<4xf32> {nacre.prepared = array<i64: 0, 0>}
  // CHECK-NOT: nacre.rsqrt
  // CHECK: nacre.equation {{.*}}reads (%{{.*}} : tensor<4xf32> {{.*}}, %[[PREPARED]] : tensor<4xf32>
  func.func @m_a(%v: tensor<4xf32> {nacre.weight = array<i64: 0, 0>}, %x: tensor<4xf32> {nacre.argument = 0 : i64})
      -> (tensor<4xf32> {nacre.result = 0 : i64}) attributes {nacre.entry = "a", nacre.models = array<i64: 0>} {
    %r = nacre.equation extents<() -> (4)> reads (%v : tensor<4xf32> at (i) -> (i)) {
    ^bb0(%a: f32):
      %b = nacre.rsqrt %a : f32
      nacre.yield %b : f32
    } : tensor<4xf32>
    %y = nacre.equation extents<() -> (4)> reads (%x : tensor<4xf32> at (i) -> (i), %r : tensor<4xf32> at (i) -> (i)) {
    ^bb0(%a: f32, %b: f32):
      %c = nacre.mul %a, %b : f32
      nacre.yield %c : f32
    } : tensor<4xf32>
    return %y : tensor<4xf32>
  }
  // CHECK-LABEL: func.func @m_b
  // CHECK-SAME: tensor<4xf32> {nacre.prepared = array<i64: 0, 0>}
  func.func @m_b(%v: tensor<4xf32> {nacre.weight = array<i64: 0, 0>}) -> (tensor<4xf32> {nacre.result = 0 : i64})
      attributes {nacre.entry = "b", nacre.models = array<i64: 0>} {
    %r = nacre.equation extents<() -> (4)> reads (%v : tensor<4xf32> at (i) -> (i)) {
    ^bb0(%a: f32):
      %b = nacre.rsqrt %a : f32
      nacre.yield %b : f32
    } : tensor<4xf32>
    return %r : tensor<4xf32>
  }
  // CHECK-LABEL: func.func @m_net__prepare_values
  // CHECK-SAME: -> (tensor<4xf32> {nacre.result = 0 : i64}) attributes {nacre.prepare = 0 : i64}
  // CHECK: nacre.rsqrt
  // CHECK-NOT: nacre.rsqrt
}
