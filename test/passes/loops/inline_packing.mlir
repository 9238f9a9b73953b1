// RUN: %nacre-opt --nacre-emit-loops="vector-bits=512 threads=0" --canonicalize --cse --nacre-hoist-scratch --split-input-file %s | %FileCheck %s

#id = affine_map<(k, n) -> (k, n)>
#pack = affine_map<(k, n) -> (n floordiv 32, k, n mod 32)>
#a = affine_map<(m, n, k) -> (m, k)>
#panels = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>

// Panels that one product alone reads are made inside it, on the stack: the matrix of panels is gone.
// CHECK-LABEL: func.func @taken_in
// CHECK-NOT:     memref.alloc()
// CHECK:         memref.alloca() {alignment = 64 : i64} : memref<38400xi8>
// CHECK:         vector.load %{{.*}} : memref<300x600xf32>, vector<16xf32>
// CHECK:         vector.store %{{.*}} : memref<300x32xf32>, vector<16xf32>
// CHECK:         vector.load %{{.*}} : memref<300x32xf32>, vector<16xf32>
func.func @taken_in(%x: memref<56x300xf32>, %w: memref<300x600xf32>, %y: memref<56x600xf32>) {
  %p = memref.alloc() : memref<19x300x32xf32>
  linalg.generic {indexing_maps = [#id, #pack], iterator_types = ["parallel", "parallel"]}
      ins(%w : memref<300x600xf32>) outs(%p : memref<19x300x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#a, #panels, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %p : memref<56x300xf32>, memref<19x300x32xf32>) outs(%y : memref<56x600xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %q = arith.mulf %a, %c : f32
    %r = arith.addf %s, %q : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#id = affine_map<(k, n) -> (k, n)>
#pack = affine_map<(k, n) -> (n floordiv 32, k, n mod 32)>
#a = affine_map<(m, n, k) -> (m, k)>
#panels = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>

// Near miss: two products read the panels.
// CHECK-LABEL: func.func @read_twice
// CHECK:         memref.alloc() : memref<19x300x32xf32>
// CHECK-NOT:     memref.alloca
func.func @read_twice(%x: memref<56x300xf32>, %w: memref<300x600xf32>, %y: memref<56x600xf32>, %z: memref<56x600xf32>) {
  %p = memref.alloc() : memref<19x300x32xf32>
  linalg.generic {indexing_maps = [#id, #pack], iterator_types = ["parallel", "parallel"]}
      ins(%w : memref<300x600xf32>) outs(%p : memref<19x300x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#a, #panels, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %p : memref<56x300xf32>, memref<19x300x32xf32>) outs(%y : memref<56x600xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %q = arith.mulf %a, %c : f32
    %r = arith.addf %s, %q : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [#a, #panels, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %p : memref<56x300xf32>, memref<19x300x32xf32>) outs(%z : memref<56x600xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %q = arith.mulf %a, %c : f32
    %r = arith.addf %s, %q : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#id = affine_map<(k, n) -> (k, n)>
#pack = affine_map<(k, n) -> (n floordiv 32, k, n mod 32)>
#a = affine_map<(m, n, k) -> (m, k)>
#panels = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>

// Near miss: the matrix changes between its packing and the product.
// CHECK-LABEL: func.func @changed_between
// CHECK:         memref.alloc() : memref<19x300x32xf32>
// CHECK-NOT:     memref.alloca
func.func @changed_between(%x: memref<56x300xf32>, %w: memref<300x600xf32>, %y: memref<56x600xf32>) {
  %zero = arith.constant 0.0 : f32
  %p = memref.alloc() : memref<19x300x32xf32>
  linalg.generic {indexing_maps = [#id, #pack], iterator_types = ["parallel", "parallel"]}
      ins(%w : memref<300x600xf32>) outs(%p : memref<19x300x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%w : memref<300x600xf32>) {
  ^bb0(%o: f32):
    linalg.yield %zero : f32
  }
  linalg.generic {indexing_maps = [#a, #panels, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %p : memref<56x300xf32>, memref<19x300x32xf32>) outs(%y : memref<56x600xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %q = arith.mulf %a, %c : f32
    %r = arith.addf %s, %q : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#id = affine_map<(k, n) -> (k, n)>
#pack = affine_map<(k, n) -> (n floordiv 32, k, n mod 32)>
#a = affine_map<(m, n, k) -> (m, k)>
#panels = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>

// Near miss: eight rows would use a packed element eight times only.
// CHECK-LABEL: func.func @few_rows
// CHECK:         memref.alloc() : memref<19x300x32xf32>
// CHECK-NOT:     memref.alloca
func.func @few_rows(%x: memref<8x300xf32>, %w: memref<300x600xf32>, %y: memref<8x600xf32>) {
  %p = memref.alloc() : memref<19x300x32xf32>
  linalg.generic {indexing_maps = [#id, #pack], iterator_types = ["parallel", "parallel"]}
      ins(%w : memref<300x600xf32>) outs(%p : memref<19x300x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#a, #panels, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %p : memref<8x300xf32>, memref<19x300x32xf32>) outs(%y : memref<8x600xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %q = arith.mulf %a, %c : f32
    %r = arith.addf %s, %q : f32
    linalg.yield %r : f32
  }
  return
}
