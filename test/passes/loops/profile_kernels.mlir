// RUN: %nacre-opt --pass-pipeline='builtin.module(nacre-declare-hooks,func.func(nacre-emit-loops{profile=true}),nacre-outline-parallel)' %s \
// RUN:   | %FileCheck %s
// RUN: %nacre-opt --pass-pipeline='builtin.module(func.func(nacre-emit-loops),nacre-outline-parallel)' %s \
// RUN:   | %FileCheck %s --check-prefix=PLAIN
// RUN: %nacre-opt --pass-pipeline='builtin.module(nacre-loops{profile=true},convert-vector-to-scf,convert-scf-to-cf,convert-vector-to-llvm,finalize-memref-to-llvm,convert-arith-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts,nacre-call-thread-pool,nacre-profile-kernels)' %s \
// RUN:   | %FileCheck %s --check-prefix=LLVM

// A kernel in a measured program stands between two hooks; operations and bytes follow from its sizes. What threads
// share carries the kernel's name, and each chunk is measured as well.
// CHECK:       func.func private @nacre.kernel_begin(index, index)
// CHECK:       func.func private @[[BODY:double\.map\.profile_kernels_[0-9]+]](
// CHECK:         call @nacre.chunk_begin() {nacre.kernel_identity = "double.0"}
// CHECK:         scf.for
// CHECK:         call @nacre.chunk_end() {nacre.kernel_identity = "double.0"}
// CHECK-LABEL: func.func @double(
// CHECK-DAG:     %[[FLOPS:.*]] = arith.constant 1000000 : index
// CHECK-DAG:     %[[BYTES:.*]] = arith.constant 8000000 : index
// CHECK:         call @nacre.kernel_begin(%[[FLOPS]], %[[BYTES]]) {nacre.kernel_identity = "double.0", nacre.kernel_record = {
// CHECK-SAME:      kind = "map"
// CHECK-SAME:      operations = "1000000", traffic = "8000000"}}
// CHECK:         call @[[BODY]](
// CHECK:         call @nacre.kernel_end() {nacre.kernel_identity = "double.0"}

// Otherwise only the name is there.
// PLAIN-NOT:   nacre.kernel_begin
// PLAIN:       func.func private @double.map.profile_kernels_{{[0-9]+}}(
// PLAIN-NOT:   nacre.chunk_begin
// PLAIN-NOT:   nacre.kernel_begin

// The hooks become calls of the runtime with the record of the kernel, and a profile is written at the end.
// LLVM-DAG:    llvm.func @nacre_profile_kernel_begin(!llvm.ptr, i64, i64)
// LLVM-DAG:    llvm.mlir.global internal @nacre.profile.double.0()
// LLVM-LABEL:  llvm.func @double(
// LLVM:          %[[RECORD:.*]] = llvm.mlir.addressof @nacre.profile.double.0
// LLVM:          llvm.call @nacre_profile_kernel_begin(%[[RECORD]],
// LLVM:          llvm.call @nacre_profile_kernel_end(
// LLVM-NOT:    nacre.kernel_begin
// LLVM:        llvm.mlir.global_dtors
func.func @double(%x: memref<1000x1000xf32>, %y: memref<1000x1000xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<1000x1000xf32>) outs(%y : memref<1000x1000xf32>) {
  ^bb0(%a: f32, %b: f32):
    %sum = arith.addf %a, %a : f32
    linalg.yield %sum : f32
  }
  return
}
