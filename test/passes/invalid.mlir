// RUN: %nacre-opt %s -split-input-file -verify-diagnostics

func.func @no_reduction(%x: tensor<4x5xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{has 1 reduced indices and no reduction}}
  %y = nacre.equation extents<() -> (4, 5)> reads (%x : tensor<4x5xf32> at (i, j) -> (i, j)) {
  ^bb0(%a: f32):
    nacre.yield %a : f32
  } : tensor<4xf32>
  return %y : tensor<4xf32>
}
// -----
func.func @wrong_extent(%x: tensor<4xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{which on axis 0 is not what the type says}}
  %y = nacre.equation extents<() -> (4)> reads (%x : tensor<4xf32> at (i) -> (i)) {
  ^bb0(%a: f32):
    nacre.yield %a : f32
  } : tensor<5xf32>
  return %y : tensor<5xf32>
}
// -----
func.func @two_positions(%x: tensor<4x5xf32>) -> tensor<i32> {
  // expected-error @+1 {{argmax is over one index, not 2}}
  %y = nacre.equation argmax extents<() -> (4, 5)> reads (%x : tensor<4x5xf32> at (i, j) -> (i, j)) {
  ^bb0(%a: f32):
    nacre.yield %a : f32
  } : tensor<i32>
  return %y : tensor<i32>
}
// -----
func.func @subscripts(%x: tensor<4x5xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{reads input 0 of rank 2 at 1 subscripts}}
  %y = nacre.equation extents<() -> (4)> reads (%x : tensor<4x5xf32> at (i) -> (i)) {
  ^bb0(%a: f32):
    nacre.yield %a : f32
  } : tensor<4xf32>
  return %y : tensor<4xf32>
}
// -----
func.func @reshape(%x: tensor<4x5xf32>) -> tensor<21xf32> {
  // expected-error @+1 {{turns 20 elements into 21}}
  %y = nacre.reshape %x extents<() -> (21)> : tensor<4x5xf32> to tensor<21xf32>
  return %y : tensor<21xf32>
}
// -----
func.func @scatter_rank(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{has 1 subscripts into a tensor of rank 2}}
  %y = nacre.scatter %x extents<() -> (4)> {
  ^bb0:
    %v = nacre.number 1.0 : f32
    %i = nacre.index affine_map<(i) -> (i)>
    nacre.scatter_yield %v at [%i] : f32
  } : tensor<4x4xf32> to tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
// -----
func.func @scatter_type(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{adds 'i64' to 'tensor<4xf32>'}}
  %y = nacre.scatter %x extents<() -> (4)> {
  ^bb0:
    %i = nacre.index affine_map<(i) -> (i)>
    nacre.scatter_yield %i at [%i] : i64
  } : tensor<4xf32> to tensor<4xf32>
  return %y : tensor<4xf32>
}
