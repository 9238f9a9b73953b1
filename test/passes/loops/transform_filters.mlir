// RUN: %nacre-opt --nacre-transform-filters="vector-bits=512" %s | %FileCheck %s
// RUN: %nacre-opt --nacre-transform-filters="vector-bits=512 edge=2" %s | %FileCheck %s --check-prefix=TWO
// Filters of 3 x 3 convolutions at stride 1 are transformed; the op keeps its meaning and gets a mark.

#x = affine_map<(n, i, j, f, u, v, c) -> (n, i + u, j + v, c)>
#strided = affine_map<(n, i, j, f, u, v, c) -> (n, i * 2 + u, j * 2 + v, c)>
#dilated = affine_map<(n, i, j, f, u, v, c) -> (n, i + u * 2, j + v * 2, c)>
#grouped = affine_map<(n, i, j, f, u, v, c) -> (n, i + u, j + v, (f floordiv 32) * 32 + c)>
#w = affine_map<(n, i, j, f, u, v, c) -> (f, c, u, v)>
#turned = affine_map<(n, i, j, f, u, v, c) -> (c, f, -u + 2, -v + 2)>
#window = affine_map<(n, i, j, f, u, v, c) -> (u, v)>
#y = affine_map<(n, i, j, f, u, v, c) -> (n, i, j, f)>

// CHECK-DAG: #[[PANELS:.*]] = affine_map<(d0, d1, d2, d3) -> (0, d0 * 6 + d1, d3 floordiv 32, d2, d3 mod 32)>
// CHECK-DAG: #[[KEPT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d7, 0, 0, 0, 0)>

// Tiles of 4 x 4 results, and 40 filters in two panels of 32.
// CHECK-LABEL: func.func @plain(
// CHECK-SAME:    %[[X:.*]]: tensor<?x58x58x64xf32>, %[[W:.*]]: tensor<40x64x3x3xf32>
// CHECK:         %[[G:.*]] = arith.constant dense<{{.*}}> : tensor<6x3xf32>
// CHECK:         %[[U:.*]] = linalg.generic {{.*}} ins(%[[G]], %[[G]], %[[W]] : {{.*}}
// CHECK:         %[[PACKED:.*]] = linalg.generic {indexing_maps = [{{.*}}, #[[PANELS]]]{{.*}} ins({{.*}} : tensor<6x6x64x40xf32>) outs({{.*}} : tensor<1x36x2x64x32xf32>)
// CHECK:         linalg.generic {indexing_maps = [{{.*}}, {{.*}}, #[[KEPT]], {{.*}}]{{.*}} ins(%[[X]], %[[W]], %[[PACKED]]
// CHECK-SAME:      nacre.winograd = 4
// TWO-LABEL: func.func @plain(
// TWO:         tensor<1x16x2x64x32xf32>
// TWO:         nacre.winograd = 2
func.func @plain(%x: tensor<?x58x58x64xf32>, %w: tensor<40x64x3x3xf32> {nacre.weight = array<i64: 0, 0>}, %y: tensor<?x56x56x40xf32>) -> tensor<?x56x56x40xf32> {
  %r = linalg.generic {indexing_maps = [#x, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<?x58x58x64xf32>, tensor<40x64x3x3xf32>) outs(%y : tensor<?x56x56x40xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x56x56x40xf32>
  return %r : tensor<?x56x56x40xf32>
}

// The gradient of an image reads the filter turned, and its axes the other way round.
// CHECK-LABEL: func.func @backwards(
// CHECK:         nacre.winograd = 4
func.func @backwards(%x: tensor<1x58x58x64xf32>, %w: tensor<64x40x3x3xf32> {nacre.weight = array<i64: 0, 0>}, %window: tensor<3x3xi8>, %y: tensor<1x56x56x40xf32>) -> tensor<1x56x56x40xf32> {
  %r = linalg.generic {indexing_maps = [#x, #turned, #window, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w, %window : tensor<1x58x58x64xf32>, tensor<64x40x3x3xf32>, tensor<3x3xi8>) outs(%y : tensor<1x56x56x40xf32>) {
  ^bb0(%a: f32, %b: f32, %n: i8, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x56x56x40xf32>
  return %r : tensor<1x56x56x40xf32>
}

// The filters of 36 points would take longer to read than their products.
// CHECK-LABEL: func.func @small(
// CHECK:         nacre.winograd = 2
func.func @small(%x: tensor<1x16x16x256xf32>, %w: tensor<256x256x3x3xf32> {nacre.weight = array<i64: 0, 0>}, %y: tensor<1x14x14x256xf32>) -> tensor<1x14x14x256xf32> {
  %r = linalg.generic {indexing_maps = [#x, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x16x16x256xf32>, tensor<256x256x3x3xf32>) outs(%y : tensor<1x14x14x256xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x14x14x256xf32>
  return %r : tensor<1x14x14x256xf32>
}

// Near miss: 49 results for each of 262144 filters; reading them is all.
// CHECK-LABEL: func.func @tiny(
// CHECK-NOT:     nacre.winograd
// TWO-LABEL: func.func @tiny(
// TWO:         nacre.winograd = 2
func.func @tiny(%x: tensor<1x9x9x512xf32>, %w: tensor<512x512x3x3xf32> {nacre.weight = array<i64: 0, 0>}, %y: tensor<1x7x7x512xf32>) -> tensor<1x7x7x512xf32> {
  %r = linalg.generic {indexing_maps = [#x, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x9x9x512xf32>, tensor<512x512x3x3xf32>) outs(%y : tensor<1x7x7x512xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x7x7x512xf32>
  return %r : tensor<1x7x7x512xf32>
}

// Near miss: three channels are no work to save.
// CHECK-LABEL: func.func @few_channels(
// CHECK-NOT:     nacre.winograd
func.func @few_channels(%x: tensor<1x58x58x3xf32>, %w: tensor<32x3x3x3xf32> {nacre.weight = array<i64: 0, 0>}, %y: tensor<1x56x56x32xf32>) -> tensor<1x56x56x32xf32> {
  %r = linalg.generic {indexing_maps = [#x, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x58x58x3xf32>, tensor<32x3x3x3xf32>) outs(%y : tensor<1x56x56x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x56x56x32xf32>
  return %r : tensor<1x56x56x32xf32>
}

// Near miss: stride 2.
// CHECK-LABEL: func.func @strided(
// CHECK-NOT:     nacre.winograd
// TWO-LABEL: func.func @strided(
// TWO-NOT:     nacre.winograd
func.func @strided(%x: tensor<1x57x57x64xf32>, %w: tensor<64x64x3x3xf32> {nacre.weight = array<i64: 0, 0>}, %y: tensor<1x28x28x64xf32>) -> tensor<1x28x28x64xf32> {
  %r = linalg.generic {indexing_maps = [#strided, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x57x57x64xf32>, tensor<64x64x3x3xf32>) outs(%y : tensor<1x28x28x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x28x28x64xf32>
  return %r : tensor<1x28x28x64xf32>
}

// Near miss: dilated.
// CHECK-LABEL: func.func @dilated(
// CHECK-NOT:     nacre.winograd
// TWO-LABEL: func.func @dilated(
// TWO-NOT:     nacre.winograd
func.func @dilated(%x: tensor<1x60x60x64xf32>, %w: tensor<64x64x3x3xf32> {nacre.weight = array<i64: 0, 0>}, %y: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %r = linalg.generic {indexing_maps = [#dilated, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x60x60x64xf32>, tensor<64x64x3x3xf32>) outs(%y : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}

// Near miss: groups of channels.
// CHECK-LABEL: func.func @grouped(
// CHECK-NOT:     nacre.winograd
// TWO-LABEL: func.func @grouped(
// TWO-NOT:     nacre.winograd
func.func @grouped(%x: tensor<1x58x58x64xf32>, %w: tensor<64x32x3x3xf32> {nacre.weight = array<i64: 0, 0>}, %y: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %r = linalg.generic {indexing_maps = [#grouped, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x58x58x64xf32>, tensor<64x32x3x3xf32>) outs(%y : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}

// Near miss: 5 x 5.
// CHECK-LABEL: func.func @five(
// CHECK-NOT:     nacre.winograd
// TWO-LABEL: func.func @five(
// TWO-NOT:     nacre.winograd
func.func @five(%x: tensor<1x60x60x64xf32>, %w: tensor<64x64x5x5xf32> {nacre.weight = array<i64: 0, 0>}, %y: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %r = linalg.generic {indexing_maps = [#x, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x60x60x64xf32>, tensor<64x64x5x5xf32>) outs(%y : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}

// Near miss: the filter is no weight, so it would be transformed in every call.
// CHECK-LABEL: func.func @learned(
// CHECK-NOT:     nacre.winograd
// TWO-LABEL: func.func @learned(
// TWO-NOT:     nacre.winograd
func.func @learned(%x: tensor<1x58x58x64xf32>, %w: tensor<64x64x3x3xf32>, %y: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %r = linalg.generic {indexing_maps = [#x, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x58x58x64xf32>, tensor<64x64x3x3xf32>) outs(%y : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}

// Near miss: f64.
// CHECK-LABEL: func.func @double(
// CHECK-NOT:     nacre.winograd
// TWO-LABEL: func.func @double(
// TWO-NOT:     nacre.winograd
func.func @double(%x: tensor<1x58x58x64xf64>, %w: tensor<64x64x3x3xf64> {nacre.weight = array<i64: 0, 0>}, %y: tensor<1x56x56x64xf64>) -> tensor<1x56x56x64xf64> {
  %r = linalg.generic {indexing_maps = [#x, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x58x58x64xf64>, tensor<64x64x3x3xf64>) outs(%y : tensor<1x56x56x64xf64>) {
  ^bb0(%a: f64, %b: f64, %c: f64):
    %p = arith.mulf %a, %b : f64
    %s = arith.addf %c, %p : f64
    linalg.yield %s : f64
  } -> tensor<1x56x56x64xf64>
  return %r : tensor<1x56x56x64xf64>
}

// Near miss: the largest product, not their sum.
// CHECK-LABEL: func.func @largest(
// CHECK-NOT:     nacre.winograd
// TWO-LABEL: func.func @largest(
// TWO-NOT:     nacre.winograd
func.func @largest(%x: tensor<1x58x58x64xf32>, %w: tensor<64x64x3x3xf32> {nacre.weight = array<i64: 0, 0>}, %y: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %r = linalg.generic {indexing_maps = [#x, #w, #y],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x58x58x64xf32>, tensor<64x64x3x3xf32>) outs(%y : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.maximumf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x56x56x64xf32>
  return %r : tensor<1x56x56x64xf32>
}
