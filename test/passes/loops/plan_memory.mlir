// RUN: %nacre-opt --nacre-plan-memory %s | %FileCheck %s

// %a and %c are never alive together and share their bytes; %b overlaps both.
// CHECK-LABEL: func.func @straight
// CHECK-SAME:    memref<16xf32>, %[[W:.*]]: memref<?xi8> {nacre.workspace})
// CHECK:         %[[A:.*]] = arith.constant 0 : index
// CHECK:         memref.view %[[W]][%[[A]]][] : memref<?xi8> to memref<16xf32>
// CHECK:         %[[B:.*]] = arith.constant 64 : index
// CHECK:         memref.view %[[W]][%[[B]]][] : memref<?xi8> to memref<16xf32>
// CHECK:         %[[C:.*]] = arith.constant 0 : index
// CHECK:         memref.view %[[W]][%[[C]]][] : memref<?xi8> to memref<16xf32>
// CHECK:       func.func private @straight__bytes() -> index
// CHECK:         %[[TOTAL:.*]] = arith.constant 128 : index
// CHECK:         return %[[TOTAL]]
func.func @straight(%x: memref<16xf32>) attributes {nacre.entry = 0} {
  %a = memref.alloc() : memref<16xf32>
  memref.copy %x, %a : memref<16xf32> to memref<16xf32>
  %b = memref.alloc() : memref<16xf32>
  memref.copy %a, %b : memref<16xf32> to memref<16xf32>
  %c = memref.alloc() : memref<16xf32>
  memref.copy %b, %c : memref<16xf32> to memref<16xf32>
  memref.copy %c, %x : memref<16xf32> to memref<16xf32>
  return
}

// A dynamic group lies behind the static one and grows with the dimension.
// CHECK-LABEL: func.func @dynamic
// CHECK:         memref.view %{{.*}}[%{{.*}}][%{{.*}}] : memref<?xi8> to memref<?x10xf32>
// CHECK:       func.func private @dynamic__bytes(%[[N:.*]]: index) -> index
// CHECK:         %[[BYTES:.*]] = arith.muli %{{.*}}, %[[N]] : index
// CHECK:         arith.addi %[[BYTES]], %{{.*}} : index
func.func @dynamic(%n: index, %x: memref<?x10xf32>, %y: memref<8xf32>) attributes {nacre.entry = 0} {
  %s = memref.alloc() : memref<8xf32>
  %d = memref.alloc(%n) : memref<?x10xf32>
  memref.copy %y, %s : memref<8xf32> to memref<8xf32>
  memref.copy %x, %d : memref<?x10xf32> to memref<?x10xf32>
  memref.copy %d, %x : memref<?x10xf32> to memref<?x10xf32>
  memref.copy %s, %y : memref<8xf32> to memref<8xf32>
  return
}

// A function that the runtime does not call keeps its allocation.
// CHECK-LABEL: func.func @helper(
// CHECK:         memref.alloc
func.func @helper(%x: memref<16xf32>) {
  %a = memref.alloc() : memref<16xf32>
  memref.copy %x, %a : memref<16xf32> to memref<16xf32>
  memref.copy %a, %x : memref<16xf32> to memref<16xf32>
  return
}
