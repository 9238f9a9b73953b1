// RUN: %nacre-opt --nacre-emit-loops="vector-bits=512 threads=0" --canonicalize --cse %s | %FileCheck %s
// RUN: %python %source/test/passes/loops/run_both_ways.py %s --opt %nacre-opt --clang %cc
// What is computed for a frame is written into it.

#id4 = affine_map<(n, i, j, k) -> (n, i, j, k)>
#window = affine_map<(n, i, j, k, u, v) -> (n, i + u, j + v, k)>
#uv = affine_map<(n, i, j, k, u, v) -> (u, v)>
#out = affine_map<(n, i, j, k, u, v) -> (n, i, j, k)>

// The source is a view of the frame from the start; another reader reads it there.
// CHECK-LABEL: func.func @inside
// CHECK-NOT:     memref.alloc() : memref<2x8x9x17xf32>
// CHECK:         memref.alloc() : memref<2x10x12x17xf32>
// CHECK:         memref.subview
// CHECK-NOT:     memref.alloc() : memref<2x8x9x17xf32>
// CHECK:         return
func.func @inside(%x: memref<2x8x9x17xf32>, %w: memref<3x3xi8>, %y: memref<2x8x10x17xf32>, %z: memref<2x8x9x17xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %c8 = arith.constant 8 : index
  %c9 = arith.constant 9 : index
  %c10 = arith.constant 10 : index
  %m1 = arith.constant -1 : index
  %rim = arith.constant -1.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %s = memref.alloc() : memref<2x8x9x17xf32>
  %f = memref.alloc() : memref<2x10x12x17xf32>
  linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x : memref<2x8x9x17xf32>) outs(%s : memref<2x8x9x17xf32>) {
  ^bb0(%a: f32, %o: f32):
    %b = arith.mulf %a, %a : f32
    linalg.yield %b : f32
  }
  linalg.generic {indexing_maps = [#id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%f : memref<2x10x12x17xf32>) {
  ^bb0(%o: f32):
    %n = linalg.index 0 : index
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %k = linalg.index 3 : index
    %a = arith.cmpi sge, %i, %c1 : index
    %b = arith.cmpi slt, %i, %c9 : index
    %c = arith.cmpi sge, %j, %c1 : index
    %d = arith.cmpi slt, %j, %c10 : index
    %ab = arith.andi %a, %b : i1
    %cd = arith.andi %c, %d : i1
    %in = arith.andi %ab, %cd : i1
    %i0 = arith.addi %i, %m1 : index
    %j0 = arith.addi %j, %m1 : index
    %i1 = arith.maxsi %i0, %c0 : index
    %i2 = arith.minsi %i1, %c7 : index
    %j1 = arith.maxsi %j0, %c0 : index
    %j2 = arith.minsi %j1, %c8 : index
    %v = memref.load %s[%n, %i2, %j2, %k] : memref<2x8x9x17xf32>
    %r = arith.select %in, %v, %rim : f32
    linalg.yield %r : f32
  }
  linalg.fill ins(%low : f32) outs(%y : memref<2x8x10x17xf32>)
  linalg.generic {indexing_maps = [#window, #uv, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%f, %w : memref<2x10x12x17xf32>, memref<3x3xi8>) outs(%y : memref<2x8x10x17xf32>) {
  ^bb0(%a: f32, %n: i8, %o: f32):
    %b = arith.maximumf %a, %o : f32
    linalg.yield %b : f32
  }
  linalg.copy ins(%s : memref<2x8x9x17xf32>) outs(%z : memref<2x8x9x17xf32>)
  return
}

// Near miss: the source changes after the frame was made of it.
// CHECK-LABEL: func.func @written_later
// CHECK-DAG:     memref.alloc() : memref<2x8x9x17xf32>
// CHECK-DAG:     memref.alloc() : memref<2x10x12x17xf32>
func.func @written_later(%x: memref<2x8x9x17xf32>, %w: memref<3x3xi8>, %y: memref<2x8x10x17xf32>, %z: memref<2x8x9x17xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %c8 = arith.constant 8 : index
  %c9 = arith.constant 9 : index
  %c10 = arith.constant 10 : index
  %m1 = arith.constant -1 : index
  %rim = arith.constant -1.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %s = memref.alloc() : memref<2x8x9x17xf32>
  %f = memref.alloc() : memref<2x10x12x17xf32>
  linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x : memref<2x8x9x17xf32>) outs(%s : memref<2x8x9x17xf32>) {
  ^bb0(%a: f32, %o: f32):
    %b = arith.mulf %a, %a : f32
    linalg.yield %b : f32
  }
  linalg.generic {indexing_maps = [#id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%f : memref<2x10x12x17xf32>) {
  ^bb0(%o: f32):
    %n = linalg.index 0 : index
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %k = linalg.index 3 : index
    %a = arith.cmpi sge, %i, %c1 : index
    %b = arith.cmpi slt, %i, %c9 : index
    %c = arith.cmpi sge, %j, %c1 : index
    %d = arith.cmpi slt, %j, %c10 : index
    %ab = arith.andi %a, %b : i1
    %cd = arith.andi %c, %d : i1
    %in = arith.andi %ab, %cd : i1
    %i0 = arith.addi %i, %m1 : index
    %j0 = arith.addi %j, %m1 : index
    %i1 = arith.maxsi %i0, %c0 : index
    %i2 = arith.minsi %i1, %c7 : index
    %j1 = arith.maxsi %j0, %c0 : index
    %j2 = arith.minsi %j1, %c8 : index
    %v = memref.load %s[%n, %i2, %j2, %k] : memref<2x8x9x17xf32>
    %r = arith.select %in, %v, %rim : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x : memref<2x8x9x17xf32>) outs(%s : memref<2x8x9x17xf32>) {
  ^bb0(%a: f32, %o: f32):
    %b = arith.addf %a, %a : f32
    linalg.yield %b : f32
  }
  linalg.fill ins(%low : f32) outs(%y : memref<2x8x10x17xf32>)
  linalg.generic {indexing_maps = [#window, #uv, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%f, %w : memref<2x10x12x17xf32>, memref<3x3xi8>) outs(%y : memref<2x8x10x17xf32>) {
  ^bb0(%a: f32, %n: i8, %o: f32):
    %b = arith.maximumf %a, %o : f32
    linalg.yield %b : f32
  }
  linalg.copy ins(%s : memref<2x8x9x17xf32>) outs(%z : memref<2x8x9x17xf32>)
  return
}
