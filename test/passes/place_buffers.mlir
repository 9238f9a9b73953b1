// RUN: %nacre-opt %s -nacre-place-buffers -canonicalize | %FileCheck %s

// Two buffers, one of dynamic size, each at its own multiple of 64 bytes; the twin adds the bytes up.
// CHECK-LABEL: func.func @m_f
// CHECK-SAME: %[[N:.*]]: index {{.*}}, %[[W:.*]]: memref<?xi8> {nacre.workspace}
// CHECK-NOT: memref.alloc
// CHECK: memref.view %[[W]][%c0{{.*}}][%[[N]]] : memref<?xi8> to memref<?x10xf32>
// CHECK: memref.view %[[W]][%{{.*}}][] : memref<?xi8> to memref<3xf64>
// CHECK-LABEL: func.func private @m_f__bytes(
// CHECK-SAME: index) -> index
// CHECK: arith.muli %{{.*}}, %c40
func.func @m_f(%n: index {nacre.dimension = "n"}) attributes {nacre.entry = "f"} {
  %zero = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %two = arith.constant 2.0 : f64
  %a = memref.alloc(%n) : memref<?x10xf32>
  %b = memref.alloc() : memref<3xf64>
  memref.store %one, %a[%zero, %zero] : memref<?x10xf32>
  memref.store %two, %b[%zero] : memref<3xf64>
  return
}
