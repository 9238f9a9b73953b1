// RUN: %nacre-opt %s -nacre-lower-to-linalg=reassociate=true -canonicalize -cse -nacre-fuse-elementwise -canonicalize -nacre-bufferize -canonicalize | %FileCheck %s
// RUN: %nacre-opt %s -nacre-lower-to-linalg -canonicalize -cse -nacre-bufferize -canonicalize | %FileCheck %s --check-prefix=PLAIN

// Rows of a table by number: one check per row, then the row as a whole, changed where it lies.
// CHECK-LABEL: func.func @rows
// CHECK: linalg.fill {{.*}} outs(%[[DW:.*]] :
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: arith.cmpi ult, %{{.*}}, %c10
// CHECK: scf.if
// CHECK: memref.subview
// CHECK: %[[ROW:.*]] = memref.subview %[[DW]]
// CHECK: linalg.generic {{.*}} outs(%[[ROW]] :
// CHECK-NOT: linalg.generic
// CHECK: return
// PLAIN-LABEL: func.func @rows
// PLAIN: scf.for
// PLAIN: scf.for
// PLAIN: scf.if
// PLAIN: memref.store
func.func @rows(%dy: tensor<5x7xf32>, %ids: tensor<5xi32>) -> tensor<10x7xf32> {
  %z = nacre.constant dense<0.0> : tensor<10x7xf32>
  %r = nacre.scatter %z extents<() -> (5, 7)>
      reads (%dy : tensor<5x7xf32> at (b, k) -> (b, k), %ids : tensor<5xi32> at (b, k) -> (b)) {
  ^bb0(%g: f32, %row: i32):
    %i = nacre.cast %row : i32 to i64
    %k = nacre.index affine_map<(b, k) -> (k)>
    %two = nacre.number 2.0 : f32
    %v = nacre.mul %g, %two : f32
    nacre.scatter_yield %v at [%i, %k] : f32
  } : tensor<10x7xf32> to tensor<10x7xf32>
  return %r : tensor<10x7xf32>
}

// The box is wider than the table: every point is checked.
// CHECK-LABEL: func.func @too_wide
// CHECK: scf.for
// CHECK: scf.for
// CHECK: memref.store
func.func @too_wide(%dy: tensor<5x8xf32>, %ids: tensor<5xi32>) -> tensor<10x7xf32> {
  %z = nacre.constant dense<0.0> : tensor<10x7xf32>
  %r = nacre.scatter %z extents<() -> (5, 8)>
      reads (%dy : tensor<5x8xf32> at (b, k) -> (b, k), %ids : tensor<5xi32> at (b, k) -> (b)) {
  ^bb0(%g: f32, %row: i32):
    %i = nacre.cast %row : i32 to i64
    %k = nacre.index affine_map<(b, k) -> (k)>
    nacre.scatter_yield %g at [%i, %k] : f32
  } : tensor<10x7xf32> to tensor<10x7xf32>
  return %r : tensor<10x7xf32>
}

// What is still wanted afterwards is copied first.
// CHECK-LABEL: func.func @read_later
// CHECK: %[[COPY:.*]] = memref.alloc() {{.*}} : memref<10xi8>
// CHECK: scf.for
// CHECK: arith.ori
// CHECK: memref.store %{{.*}}, %[[COPY]]
func.func @read_later(%x: tensor<10xi1>, %ids: tensor<5xi64>) -> (tensor<10xi1>, tensor<10xi1>) {
  %r = nacre.scatter %x extents<() -> (5)> reads (%ids : tensor<5xi64> at (b) -> (b)) {
  ^bb0(%i: i64):
    %yes = nacre.number true
    nacre.scatter_yield %yes at [%i] : i1
  } : tensor<10xi1> to tensor<10xi1>
  return %x, %r : tensor<10xi1>, tensor<10xi1>
}
