// RUN: %nacre-opt --nacre-outline-parallel %s | %FileCheck %s
// RUN: %nacre-opt --nacre-outline-parallel --convert-scf-to-cf --finalize-memref-to-llvm --convert-arith-to-llvm \
// RUN:   --convert-func-to-llvm --convert-cf-to-llvm --reconcile-unrealized-casts --nacre-call-thread-pool %s \
// RUN:   | %FileCheck %s --check-prefix=POOL

// A marked loop becomes a function of its range; constants are repeated inside, the buffer is passed.
// CHECK-LABEL: func.func private @fill.body0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: memref<1000xf32>)
// CHECK:         arith.constant 2.5
// CHECK:         scf.for
// CHECK:         memref.store
// CHECK-LABEL: func.func @fill(
// CHECK-NOT:     scf.for
// CHECK:         call @fill.body0({{.*}}) {nacre.grain = 64 : i64}

// POOL:       llvm.func @nacre_parallel_for(!llvm.ptr, !llvm.ptr, i64, i64)
// POOL-LABEL: llvm.func @fill(
// POOL:         %[[BODY:.*]] = llvm.mlir.addressof @fill.body0.range
// POOL:         %[[GRAIN:.*]] = llvm.mlir.constant(64 : i64)
// POOL:         llvm.call @nacre_parallel_for(%[[BODY]], %{{.*}}, %{{.*}}, %[[GRAIN]])
func.func @fill(%x: memref<1000xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c1000 = arith.constant 1000 : index
  %v = arith.constant 2.5 : f32
  scf.for %i = %c0 to %c1000 step %c1 {
    memref.store %v, %x[%i] : memref<1000xf32>
  } {nacre.grain = 64 : i64}
  return
}

// A loop without the mark stays where it is.
// CHECK-LABEL: func.func @serial
// CHECK:         scf.for
func.func @serial(%x: memref<1000xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c1000 = arith.constant 1000 : index
  %v = arith.constant 2.5 : f32
  scf.for %i = %c0 to %c1000 step %c1 {
    memref.store %v, %x[%i] : memref<1000xf32>
  }
  return
}

// With fewer than 500 iterations, known only at run time, the grain becomes 500: one chunk, no thread is woken.
// CHECK-LABEL: func.func @few
// CHECK:         call @few.body0({{.*}}) {nacre.grain = 64 : i64, nacre.least = 500 : i64}
// POOL-LABEL: llvm.func @few(
// POOL:         %[[GRAIN:.*]] = llvm.mlir.constant(64 : i64)
// POOL:         %[[LEAST:.*]] = llvm.mlir.constant(500 : i64)
// POOL:         %[[FEW:.*]] = llvm.icmp "slt" %{{.*}}, %[[LEAST]]
// POOL:         %[[CHOSEN:.*]] = llvm.select %[[FEW]], %[[LEAST]], %[[GRAIN]]
// POOL:         llvm.call @nacre_parallel_for(%{{.*}}, %{{.*}}, %{{.*}}, %[[CHOSEN]])
// POOL-NOT:     llvm.call @fill.body0(
// POOL:       llvm.func internal @fill.body0.range(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
// POOL:         llvm.call @fill.body0(
func.func @few(%x: memref<?xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %v = arith.constant 2.5 : f32
  scf.for %i = %c0 to %n step %c1 {
    memref.store %v, %x[%i] : memref<?xf32>
  } {nacre.grain = 64 : i64, nacre.least = 500 : i64}
  return
}

// Scratch, and a view of it that was moved out of the loop, are each thread's own.
// CHECK-LABEL: func.func private @scratch.body0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: memref<9xf32>)
// CHECK:         %[[PLACE:.*]] = memref.alloca() : memref<4xf32>
// CHECK:         memref.subview %[[PLACE]]
// CHECK:         scf.for
func.func @scratch(%x: memref<9xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %place = memref.alloca() : memref<4xf32>
  %front = memref.subview %place[0] [3] [1] : memref<4xf32> to memref<3xf32, strided<[1]>>
  scf.for %i = %c0 to %c9 step %c1 {
    %v = memref.load %x[%i] : memref<9xf32>
    memref.store %v, %front[%c1] : memref<3xf32, strided<[1]>>
    %w = memref.load %front[%c1] : memref<3xf32, strided<[1]>>
    memref.store %w, %x[%i] : memref<9xf32>
  } {nacre.grain = 1 : i64}
  return
}
