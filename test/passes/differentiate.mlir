// What the adjoint of an equation is, class by class: a lost recognition shows here. `l` is the sum of squares of `y`.
// RUN: %python %S/Inputs/classes.py | %nacre-opt --nacre-differentiate --cse | %FileCheck %s

// Two products.
// CHECK-LABEL: func.func @linear
// CHECK: nacre.equation sum extents<() -> (4, 8, 3)> reads (%{{.*}} at (d0, d1, d2) -> (d2, d1), %{{.*}} : tensor<4x3xf32> at (d0, d1, d2) -> (d0, d2))
// CHECK: nacre.equation sum extents<() -> (3, 8, 4)> reads (%{{.*}} at (d0, d1, d2) -> (d2, d1), %{{.*}} : tensor<4x3xf32> at (d0, d1, d2) -> (d2, d0))
// CHECK-NEXT: ^bb0
// CHECK-NEXT: nacre.mul
// CHECK-NEXT: nacre.yield

// The same with a batch.
// CHECK-LABEL: func.func @batched
// CHECK: nacre.equation sum extents<() -> (2, 4, 8, 5)> reads (%{{.*}} at (d0, d1, d2, d3) -> (d0, d2, d3), %{{.*}} at (d0, d1, d2, d3) -> (d0, d1, d3))
// CHECK: nacre.equation sum extents<() -> (2, 8, 5, 4)> reads (%{{.*}} at (d0, d1, d2, d3) -> (d0, d3, d1), %{{.*}} at (d0, d1, d2, d3) -> (d0, d3, d2))

// A plain convolution over a padded cotangent with the filter turned round; the filter's own in the order it has.
// CHECK-LABEL: func.func @convolution
// CHECK: nacre.assemble zero(%[[DY:.*]] : tensor<2x6x6x6xf32>) {{.*}} : tensor<2x10x10x6xf32>
// CHECK: nacre.equation sum extents<() -> (2, 8, 8, 4, 3, 3, 6)> {{.*}} -> (d6, d3, -d4 + 2, -d5 + 2), %{{.*}} : tensor<2x10x10x6xf32> at {{.*}} -> (d0, d1 + d4, d2 + d5, d6))
// CHECK-NEXT: ^bb0
// CHECK-NEXT: nacre.mul
// CHECK-NEXT: nacre.yield
// CHECK: nacre.equation sum extents<() -> (6, 4, 3, 3, 2, 6, 6)> {{.*}} -> (d4, d2 + d5, d3 + d6, d1), %[[DY]] : {{.*}} -> (d4, d5, d6, d0))

// One dense convolution per phase of the stride, the last one a product; together they cover everything.
// CHECK-LABEL: func.func @strided
// CHECK: nacre.assemble zero({{.*}} : tensor<2x6x6x6xf32>
// CHECK: nacre.equation sum extents<() -> (2, 5, 5, 4, 2, 2, 6)> {{.*}} -> (d6, d3, d4 * -2 + 2, d5 * -2 + 2), {{.*}} -> (d0, d1 + d4, d2 + d5, d6))
// CHECK: nacre.equation sum extents<() -> (2, 5, 4, 4, 2, 6)>
// CHECK: nacre.equation sum extents<() -> (2, 4, 5, 4, 2, 6)>
// CHECK: nacre.equation sum extents<() -> (2, 4, 4, 4, 6)>
// CHECK: nacre.assemble({{.*}} strides [array<i64: 1, 2, 2, 1>, array<i64: 1, 2, 2, 1>, array<i64: 1, 2, 2, 1>, array<i64: 1, 2, 2, 1>] extents<() -> (2, 9, 9, 4)>

// A group is a batch: no division is left.
// CHECK-LABEL: func.func @grouped
// CHECK: nacre.reshape {{.*}} to tensor<2x3x2x3xf32>
// CHECK: nacre.reshape {{.*}} to tensor<2x10x2x3xf32>
// CHECK: nacre.equation sum extents<() -> (2, 8, 2, 2, 3, 3)> {{.*}} -> (d2, d5, d3, -d4 + 2), {{.*}} -> (d0, d1 + d4, d2, d5))
// CHECK: nacre.reshape {{.*}} to tensor<2x8x4xf32>

// Windows that do not meet: one product, and a view.
// CHECK-LABEL: func.func @patches
// CHECK: nacre.equation sum extents<() -> (2, 2, 4, 2, 4, 4, 6)>
// CHECK: nacre.reshape {{.*}} to tensor<2x8x8x4xf32>
// CHECK-NOT: nacre.assemble

// The place of the first largest element is kept; a window sum of choices, phase by phase.
// CHECK-LABEL: func.func @pool
// CHECK: nacre.equation min {{.*}} reads (%{{.*}} -> (d0, d1 * 2 + d3, d2), %{{.*}} -> (d0, d1, d2))
// CHECK: tensor<2x4x4xi32>
// CHECK: nacre.equation sum extents<() -> (2, 5, 4, 2)>
// CHECK: nacre.assemble({{.*}} strides [array<i64: 1, 2, 1>, array<i64: 1, 2, 1>]

// CHECK-LABEL: func.func @disjoint
// CHECK: nacre.equation extents<() -> (2, 4, 2, 4)>
// CHECK: nacre.reshape {{.*}} to tensor<2x8x4xf32>
// CHECK-NOT: nacre.assemble

// CHECK-LABEL: func.func @upsample
// CHECK: nacre.equation sum extents<() -> (4, 3, 2)>

// CHECK-LABEL: func.func @reverse
// CHECK: nacre.equation extents<() -> (4, 3)> {{.*}} -> (-d0 + 3, d1))
// CHECK-NOT: nacre.scatter
