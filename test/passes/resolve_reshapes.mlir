// RUN: %nacre-opt %s -pass-pipeline='builtin.module(func.func(nacre-resolve-reshapes))' | %FileCheck %s

// CHECK-LABEL: func.func @two_dynamic
// CHECK-SAME: %[[X:.*]]: memref<?xf32>, %[[A:.*]]: index, %[[B:.*]]: index
// CHECK: memref.reinterpret_cast %[[X]] to offset: [0], sizes: [%[[A]], %[[B]]], strides: [%[[B]], 1]
func.func @two_dynamic(%x: memref<?xf32>, %a: index, %b: index) -> memref<?x?xf32> {
  %y = memref.expand_shape %x [[0, 1]] output_shape [%a, %b] : memref<?xf32> into memref<?x?xf32>
  return %y : memref<?x?xf32>
}
