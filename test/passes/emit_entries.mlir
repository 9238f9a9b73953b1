// RUN: %nacre-opt %s -nacre-place-buffers -nacre-emit-entries | %FileCheck %s

// The weight is tensors[0][0], the prepared tensor stands 64 bytes into the block behind the two weights.
module @m attributes {nacre.models = ["net"], nacre.weight_counts = array<i64: 2>} {
  // CHECK: nacre.prepare_scratch = array<i64: 64>, nacre.prepared_bytes = array<i64: 128>
  // CHECK: func.func private @m_f({{.*}}#llvm.linkage<internal>
  func.func @m_f(%n: index {nacre.dimension = "n"}, %w: memref<4xf32> {nacre.weight = array<i64: 0, 1>},
                 %x: memref<?x4xf32> {nacre.argument = 0 : i64, nacre.extents = affine_map<()[s0] -> (s0, 4)>},
                 %p: memref<4xf32> {nacre.prepared = array<i64: 0, 1>},
                 %y: memref<?xf32> {nacre.result = 0 : i64, nacre.extents = affine_map<()[s0] -> (s0)>})
      attributes {nacre.entry = "f", nacre.models = array<i64: 0>} {
    return
  }
  func.func @m_net__prepare_values(%w: memref<4xf32> {nacre.weight = array<i64: 0, 1>},
                                   %a: memref<4xf32> {nacre.result = 0 : i64}, %b: memref<4xf32> {nacre.result = 1 : i64})
      attributes {nacre.prepare = 0 : i64} {
    %t = memref.alloc() : memref<4xf32>
    return
  }
  // CHECK-LABEL: func.func @m_f__call(
  // CHECK-SAME: %[[TENSORS:[a-z0-9]*]]: !llvm.ptr
  // CHECK: llvm.getelementptr %[[TENSORS]][0]
  // CHECK: llvm.mlir.constant(64 : i64)
  // CHECK: call @m_f(
  // CHECK-LABEL: func.func @m_f__workspace(
  // CHECK: call @m_f__bytes
  // CHECK-LABEL: func.func @m_net__prepare(
  // CHECK: call @m_net__prepare_values
  // CHECK-LABEL: func.func @m_net__initialise(
  // CHECK: arith.constant -1 : i32
}
