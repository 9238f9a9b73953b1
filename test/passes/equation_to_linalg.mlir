// RUN: %nacre-opt %s -nacre-lower-to-linalg -canonicalize -cse | %FileCheck %s

// A product: plain axes stay plain, the sum starts from 0.
// CHECK-LABEL: func.func @product
// CHECK: %[[ZERO:.*]] = linalg.fill ins(%{{.*}} : f32)
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]{{.*}} ins(%{{.*}}, %{{.*}} : tensor<?x784xf32>, tensor<10x784xf32>) outs(%[[ZERO]]
// CHECK: arith.mulf
// CHECK: arith.addf
func.func @product(%n: index {nacre.dimension = "n"}, %w: tensor<10x784xf32>,
                   %x: tensor<?x784xf32> {nacre.extents = affine_map<()[s0] -> (s0, 784)>}) -> tensor<?x10xf32> {
  %y = nacre.equation sum extents<()[n] -> (n, 10, 784)> [%n]
      reads (%x : tensor<?x784xf32> at (i, o, k)[n] -> (i, k), %w : tensor<10x784xf32> at (i, o, k)[n] -> (o, k)) {
  ^bb0(%a: f32, %b: f32):
    %p = nacre.mul %a, %b : f32
    nacre.yield %p : f32
  } : tensor<?x10xf32>
  return %y : tensor<?x10xf32>
}

// Part of an axis is a slice, a fixed position as well; linalg would otherwise take the range from the operand.
// CHECK-LABEL: func.func @slices
// CHECK: tensor.extract_slice %{{.*}}[2, 3] [4, 1] [1, 1] : tensor<8x8xf32> to tensor<4xf32>
func.func @slices(%x: tensor<8x8xf32>) -> tensor<4xf32> {
  %y = nacre.equation extents<() -> (4)> reads (%x : tensor<8x8xf32> at (i) -> (i + 2, 3)) {
  ^bb0(%a: f32):
    nacre.yield %a : f32
  } : tensor<4xf32>
  return %y : tensor<4xf32>
}

// A window: its reduced indices appear in sums only, so an operand that is a shape carries them.
// CHECK-LABEL: func.func @pool
// CHECK: %[[SHAPE:.*]] = tensor.empty() : tensor<2x2xi8>
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[SHAPE]] : tensor<8x8xf32>, tensor<2x2xi8>)
// CHECK: arith.maximumf
func.func @pool(%x: tensor<8x8xf32>) -> tensor<4x4xf32> {
  %y = nacre.equation max extents<() -> (4, 4, 2, 2)>
      reads (%x : tensor<8x8xf32> at (i, j, u, v) -> (i * 2 + u, j * 2 + v)) {
  ^bb0(%a: f32):
    nacre.yield %a : f32
  } : tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// A read that is no view is computed in the body.
// CHECK-LABEL: func.func @backwards
// CHECK: linalg.index 0
// CHECK: tensor.extract
func.func @backwards(%n: index {nacre.dimension = "n"},
                     %x: tensor<?xf32> {nacre.extents = affine_map<()[s0] -> (s0)>}) -> tensor<?xf32> {
  %y = nacre.equation extents<()[n] -> (n)> [%n] reads (%x : tensor<?xf32> at (i)[n] -> (n - i - 1)) {
  ^bb0(%a: f32):
    nacre.yield %a : f32
  } : tensor<?xf32>
  return %y : tensor<?xf32>
}

// A gather is clamped, except where a subscript is proved.
// CHECK-LABEL: func.func @gather
// CHECK-COUNT-1: arith.maxsi
// CHECK-NOT: arith.maxsi
// CHECK: tensor.extract
func.func @gather(%table: tensor<100x4xf32>, %ids: tensor<7xi32>) -> tensor<7x4xf32> {
  %y = nacre.equation extents<() -> (7, 4)> reads (%ids : tensor<7xi32> at (i, d) -> (i)) {
  ^bb0(%id: i32):
    %row = nacre.cast %id : i32 to i64
    %column = nacre.index affine_map<(i, d) -> (d)>
    %e = nacre.element %table[%row, %column] proved [false, true] : tensor<100x4xf32>
    nacre.yield %e : f32
  } : tensor<7x4xf32>
  return %y : tensor<7x4xf32>
}

// argmax: position and value together; the position moves only to something strictly better, or to the first NaN.
// CHECK-LABEL: func.func @position
// CHECK: linalg.generic {{.*}} outs(%{{.*}}, %{{.*}} : tensor<3xi32>, tensor<3xf32>)
// CHECK: arith.cmpf ogt
// CHECK: arith.cmpf uno
func.func @position(%x: tensor<3x9xf32>) -> tensor<3xi32> {
  %y = nacre.equation argmax extents<() -> (3, 9)> reads (%x : tensor<3x9xf32> at (i, j) -> (i, j)) {
  ^bb0(%a: f32):
    nacre.yield %a : f32
  } : tensor<3xi32>
  return %y : tensor<3xi32>
}

// A bool is a byte in memory and a bit in arithmetic; unsigned numbers keep their order.
// CHECK-LABEL: func.func @types
// CHECK-SAME: (%{{.*}}: tensor<5xi8>{{.*}}) -> tensor<5xi8>
// CHECK: arith.cmpi ult
// CHECK: arith.extui %{{.*}} : i1 to i8
func.func @types(%x: tensor<5xui8>) -> tensor<5xi1> {
  %y = nacre.equation extents<() -> (5)> reads (%x : tensor<5xui8> at (i) -> (i)) {
  ^bb0(%a: ui8):
    %limit = nacre.number 200 : ui8
    %c = nacre.lt %a, %limit : ui8
    nacre.yield %c : i1
  } : tensor<5xi1>
  return %y : tensor<5xi1>
}

// Single numbers are joined in one op: a chain of stores into one tensor costs bufferisation the cube of its length.
// CHECK-LABEL: func.func @numbers
// CHECK-NOT:     insert_slice
// CHECK-DAG:     %[[A:.*]] = tensor.extract %arg0[%c0]
// CHECK-DAG:     %[[B:.*]] = tensor.extract %arg1[%c0]
// CHECK:         tensor.from_elements %[[A]], %[[B]], %[[A]] : tensor<3xi32>
func.func @numbers(%a: tensor<1xi32>, %b: tensor<1xi32>) -> tensor<3xi32> {
  %y = nacre.concat axis 0 (%a, %b, %a : tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) extents<() -> (3)> : tensor<3xi32>
  return %y : tensor<3xi32>
}

// Near miss: parts of several numbers are stored into their places.
// CHECK-LABEL: func.func @parts
// CHECK-COUNT-2: tensor.insert_slice
func.func @parts(%a: tensor<1xi32>, %b: tensor<2xi32>) -> tensor<3xi32> {
  %y = nacre.concat axis 0 (%a, %b : tensor<1xi32>, tensor<2xi32>) extents<() -> (3)> : tensor<3xi32>
  return %y : tensor<3xi32>
}
