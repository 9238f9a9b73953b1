// RUN: %nacre-opt --nacre-emit-loops="vector-bits=512 threads=0" --canonicalize --cse --split-input-file %s | %FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#panels = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>

// 3 MB of weights, read by ten row tiles: each tile fetches its share of the next panel.
// CHECK-LABEL: func.func @cold_panels
// CHECK:         memref.prefetch %{{.*}}[%[[NEXT:.*]], %c0, %{{.*}}], read, locality<2>, data : memref<32x768x32xf32>
func.func @cold_panels(%x: memref<128x768xf32>, %w: memref<32x768x32xf32>, %y: memref<128x1024xf32>) {
  linalg.generic {indexing_maps = [#a, #panels, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<128x768xf32>, memref<32x768x32xf32>) outs(%y : memref<128x1024xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#a = affine_map<(m, n, u, k) -> (m, u, k)>
#panels = affine_map<(m, n, u, k) -> (n floordiv 32, u, k, n mod 32)>
#c = affine_map<(m, n, u, k) -> (m, n)>

// Two reduction loops count as one: the step is u * 512 + k.
// CHECK-LABEL: func.func @two_reductions
// CHECK:         memref.prefetch %{{.*}}[%{{.*}}, %c0, %c0, %{{.*}}], read, locality<2>, data : memref<32x9x512x32xf32>
func.func @two_reductions(%x: memref<49x9x512xf32>, %w: memref<32x9x512x32xf32>, %y: memref<49x1024xf32>) {
  linalg.generic {indexing_maps = [#a, #panels, #c], iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : memref<49x9x512xf32>, memref<32x9x512x32xf32>) outs(%y : memref<49x1024xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#panels = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>

// Near miss: 256 KB stay in the second-level cache from call to call.
// CHECK-LABEL: func.func @warm_panels
// CHECK-NOT:     memref.prefetch
// CHECK:         return
func.func @warm_panels(%x: memref<128x256xf32>, %w: memref<8x256x32xf32>, %y: memref<128x256xf32>) {
  linalg.generic {indexing_maps = [#a, #panels, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<128x256xf32>, memref<8x256x32xf32>) outs(%y : memref<128x256xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#panels = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>

// Near miss: one tile reads each panel, and there is nobody to fetch for it.
// CHECK-LABEL: func.func @few_rows
// CHECK-NOT:     memref.prefetch
// CHECK:         return
func.func @few_rows(%x: memref<8x768xf32>, %w: memref<32x768x32xf32>, %y: memref<8x1024xf32>) {
  linalg.generic {indexing_maps = [#a, #panels, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<8x768xf32>, memref<32x768x32xf32>) outs(%y : memref<8x1024xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}
