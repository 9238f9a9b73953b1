// RUN: %nacre-opt %s -nacre-lower-to-linalg=reassociate=true -canonicalize -cse -nacre-fuse-elementwise -canonicalize -nacre-bufferize -canonicalize | %FileCheck %s

// What is carried keeps its buffer: the new value is written over the old one, which nobody reads any more.
// CHECK-LABEL: func.func @decay
// CHECK-SAME: %{{.*}}: memref<8xf32>, %[[Y:.*]]: memref<8xf32>
// CHECK-NOT: memref.alloc()
// CHECK: scf.for
// CHECK: linalg.generic {{.*}} outs(%[[BUFFER:.*]] :
// CHECK-NOT: linalg.generic
// CHECK: }
func.func @decay(%x: tensor<8xf32>) -> tensor<8xf32> {
  %z = nacre.constant dense<1.0> : tensor<8xf32>
  %r = nacre.loop rounds<() -> (5)> carries(%z : tensor<8xf32>) {
  ^bb0(%t: index, %h: tensor<8xf32>):
    %n = nacre.equation extents<() -> (8)>
        reads (%h : tensor<8xf32> at (i) -> (i), %x : tensor<8xf32> at (i) -> (i)) {
    ^bb0(%a: f32, %b: f32):
      %p = nacre.mul %a, %b : f32
      nacre.yield %p : f32
    } : tensor<8xf32>
    nacre.next(%n : tensor<8xf32>) yields()
  } while {
  } : tensor<8xf32>
  return %r : tensor<8xf32>
}

// What is yielded is a row of the whole, by the counter, downwards.
// CHECK-LABEL: func.func @stack
// CHECK: scf.for %[[I:.*]] = %c0 to %[[N:.*]] step
// CHECK: arith.subi
// CHECK: memref.subview {{.*}} : memref<?x8xf32> to memref<8xf32
func.func @stack(%n: index {nacre.dimension = "n"}, %x: tensor<?x8xf32> {nacre.extents = affine_map<()[s0] -> (s0, 8)>})
    -> (tensor<?x8xf32> {nacre.extents = affine_map<()[s0] -> (s0, 8)>}) {
  %r = nacre.loop rounds<()[n] -> (n)> [%n] reverse carries() {
  ^bb0(%t: index):
    %y = nacre.equation extents<()[t] -> (8)> [%t] reads (%x : tensor<?x8xf32> at (i)[t] -> (t, i)) {
    ^bb0(%a: f32):
      %p = nacre.exp %a : f32
      nacre.yield %p : f32
    } : tensor<8xf32>
    nacre.next() yields(%y : tensor<8xf32>)
  } while {
  } : tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// Two tensors that change places: one is put aside first.
// CHECK-LABEL: func.func @swap
// CHECK: memref.alloc
// CHECK: scf.for
// CHECK-COUNT-2: linalg.generic
func.func @swap(%x: tensor<8xf32>, %y: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %r:2 = nacre.loop rounds<() -> (5)> carries(%x, %y : tensor<8xf32>, tensor<8xf32>) {
  ^bb0(%t: index, %a: tensor<8xf32>, %b: tensor<8xf32>):
    nacre.next(%b, %a : tensor<8xf32>, tensor<8xf32>) yields()
  } while {
  } : tensor<8xf32>, tensor<8xf32>
  return %r#0, %r#1 : tensor<8xf32>, tensor<8xf32>
}
