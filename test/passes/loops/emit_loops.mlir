// RUN: %nacre-opt --nacre-emit-loops="vector-bits=512 threads=0" --canonicalize --cse --split-input-file %s | %FileCheck %s

#id1 = affine_map<(i) -> (i)>

// The bias and the maximum are computed on the accumulators: one store, no second pass, no fill.
// CHECK-LABEL: func.func @product_with_epilogue
// CHECK-NOT:     linalg
// CHECK:         scf.for
// CHECK-SAME:      -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>
// CHECK:           vector.load
// CHECK:           memref.load
// CHECK:           arith.mulf {{.*}} fastmath<contract> : vector<16xf32>
// CHECK:           arith.addf {{.*}} fastmath<contract> : vector<16xf32>
// CHECK:         arith.maximumf
// CHECK:         vector.store {{.*}} : memref<8x32xf32>
// CHECK-NOT:     scf.for
// CHECK:         return
func.func @product_with_epilogue(%x: memref<8x200xf32>, %w: memref<200x32xf32>, %b: memref<32xf32>, %y: memref<8x32xf32>) {
  %zero = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<8x32xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<8x32xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<8x200xf32>, memref<200x32xf32>) outs(%t : memref<8x32xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%t, %b : memref<8x32xf32>, memref<32xf32>) outs(%y : memref<8x32xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %p = arith.addf %a, %c : f32
    %r = arith.maximumf %p, %zero : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#id1 = affine_map<(i) -> (i)>

// Near miss: the intermediate result is read again later, so it is stored as well.
// CHECK-LABEL: func.func @read_twice
// CHECK:         vector.store {{.*}} %[[T:.*]][{{.*}} : memref<64xf32>
// CHECK:         vector.store
// CHECK:         memref.load
// CHECK:         return
func.func @read_twice(%x: memref<64xf32>, %y: memref<64xf32>, %z: memref<1xf32>) {
  %c3 = arith.constant 3 : index
  %c0 = arith.constant 0 : index
  %t = memref.alloc() : memref<64xf32>
  linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%x : memref<64xf32>) outs(%t : memref<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %a : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%t : memref<64xf32>) outs(%y : memref<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %a : f32
    linalg.yield %r : f32
  }
  %v = memref.load %t[%c3] : memref<64xf32>
  memref.store %v, %z[%c0] : memref<1xf32>
  return
}

// -----

#id1 = affine_map<(i) -> (i)>

// Near miss: between producer and consumer somebody overwrites what the producer reads. Two loops remain.
// CHECK-LABEL: func.func @source_changes
// CHECK:         scf.for
// CHECK:         scf.for
// CHECK:         scf.for
func.func @source_changes(%x: memref<64xf32>, %w: memref<64xf32>, %y: memref<64xf32>) {
  %t = memref.alloc() : memref<64xf32>
  linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%x : memref<64xf32>) outs(%t : memref<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %a : f32
    linalg.yield %r : f32
  }
  memref.copy %w, %x : memref<64xf32> to memref<64xf32>
  linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%t : memref<64xf32>) outs(%y : memref<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %a : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// Lanes over the reduction: four accumulators, one horizontal sum; the tail of 70 = 64 + 6 under a mask.
// CHECK-LABEL: func.func @sum_of_rows
// CHECK-DAG:     %[[MASK:.*]] = vector.constant_mask [6] : vector<16xi1>
// CHECK:         vector.maskedload {{.*}} %[[MASK]]
// CHECK:         vector.reduction <add>
// CHECK:         memref.store
func.func @sum_of_rows(%x: memref<9x70xf32>, %y: memref<9xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<9x70xf32>) outs(%y : memref<9xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#id1 = affine_map<(i) -> (i)>

// Near misses of vectorisation: a division of integers could trap in a lane that is masked off, a bool is a byte in
// memory and a bit in a vector, sine has no polynomial that is good near its zeros.
// CHECK-LABEL: func.func @stays_scalar
// CHECK-NOT:     vector<
// CHECK:         arith.divsi {{.*}} : i32
// CHECK-NOT:     vector<
// CHECK:         memref.store {{.*}} memref<50xi1>
// CHECK-NOT:     vector<
// CHECK:         math.sin {{.*}} : f32
// CHECK-NOT:     vector<
func.func @stays_scalar(%a: memref<50xi32>, %b: memref<50xi32>, %c: memref<50xi1>, %x: memref<50xf32>) {
  linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%a : memref<50xi32>) outs(%b : memref<50xi32>) {
  ^bb0(%v: i32, %o: i32):
    %r = arith.divsi %v, %o : i32
    linalg.yield %r : i32
  }
  linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%a : memref<50xi32>) outs(%c : memref<50xi1>) {
  ^bb0(%v: i32, %o: i1):
    %r = arith.cmpi eq, %v, %v : i32
    linalg.yield %r : i1
  }
  linalg.generic {indexing_maps = [#id1], iterator_types = ["parallel"]} outs(%x : memref<50xf32>) {
  ^bb0(%v: f32):
    %r = math.sin %v : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#wf = affine_map<(f, g, u) -> (f, g, u)>
#wt = affine_map<(f, g, u) -> (g, u, f)>

// An update that reads its gradient in another order is an epilogue that would take the lanes of the sum away: it is a
// kernel of its own, and the sum has whole vectors of f.
// CHECK-LABEL: func.func @update_in_another_order
// CHECK:         scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>
// CHECK-NOT:       vector.gather
// CHECK:           vector.load
// CHECK:         vector.store
// CHECK:         vector.gather
func.func @update_in_another_order(%x: memref<300x8x5xf32>, %dy: memref<300x64xf32>, %w: memref<64x8x5xf32>) {
  %zero = arith.constant 0.0 : f32
  %rate = arith.constant 0.01 : f32
  %t = memref.alloc() : memref<8x5x64xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<8x5x64xf32>)
  linalg.generic {indexing_maps = [affine_map<(f, g, u, m) -> (m, g, u)>, affine_map<(f, g, u, m) -> (m, f)>, affine_map<(f, g, u, m) -> (g, u, f)>],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %dy : memref<300x8x5xf32>, memref<300x64xf32>) outs(%t : memref<8x5x64xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [#wf, #wt, #wf], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %t : memref<64x8x5xf32>, memref<8x5x64xf32>) outs(%w : memref<64x8x5xf32>) {
  ^bb0(%a: f32, %g: f32, %o: f32):
    %p = arith.mulf %g, %rate : f32
    %r = arith.subf %a, %p : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#fg = affine_map<(f, g) -> (f, g)>
#gf = affine_map<(f, g) -> (g, f)>

// One tap of a filter, whose neighbours lie nine apart: gathered from an array that starts at its first lane.
// CHECK-LABEL: func.func @tap
// CHECK:         memref.reinterpret_cast %{{.*}} strides: [1]
// CHECK:         vector.gather
// CHECK:         vector.store
func.func @tap(%w: memref<64x40xf32, strided<[360, 9], offset: 4>>, %y: memref<40x64xf32>) {
  linalg.generic {indexing_maps = [#gf, #fg], iterator_types = ["parallel", "parallel"]}
      ins(%w : memref<64x40xf32, strided<[360, 9], offset: 4>>) outs(%y : memref<40x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

#kg = affine_map<(k, g) -> (k, g)>
#gk = affine_map<(k, g) -> (g, k)>

// What is read across its rows: squares of 16 x 16 are read along the rows and turned in registers, four rounds of 16
// exchanges. Of the last square, under a mask, nobody needs the sixteenth row.
// CHECK-LABEL: func.func @transposed_operand
// CHECK-NOT:     vector.gather
// CHECK-COUNT-16: vector.load %arg1
// CHECK-COUNT-64: vector.shuffle
// CHECK-COUNT-16: vector.store
// CHECK-COUNT-16: vector.maskedload %arg1
// CHECK-COUNT-63: vector.shuffle
// CHECK-COUNT-15: vector.store
// CHECK-NOT:     vector.gather
// CHECK:         return
func.func @transposed_operand(%w: memref<31x64xf32>, %g: memref<64x31xf32>) {
  linalg.generic {indexing_maps = [#kg, #gk, #kg], iterator_types = ["parallel", "parallel"]}
      ins(%w, %g : memref<31x64xf32>, memref<64x31xf32>) outs(%w : memref<31x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.subf %a, %b : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#kg = affine_map<(k, g) -> (k, g)>
#gk = affine_map<(k, g) -> (g, k)>

// Near miss: five rows are not worth a square; they are gathered.
// CHECK-LABEL: func.func @few_rows
// CHECK-NOT:     vector.shuffle
// CHECK:         vector.gather
func.func @few_rows(%w: memref<5x64xf32>, %g: memref<64x5xf32>) {
  linalg.generic {indexing_maps = [#kg, #gk, #kg], iterator_types = ["parallel", "parallel"]}
      ins(%w, %g : memref<5x64xf32>, memref<64x5xf32>) outs(%w : memref<5x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.subf %a, %b : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// A body that looks up neighbours, as a copy into a padded buffer: vectors, not gathers.
// CHECK-LABEL: func.func @padded
// CHECK-NOT:     vector.gather
// CHECK:         vector.load %arg0
func.func @padded(%x: memref<6x32xf32>, %y: memref<8x32xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %c6 = arith.constant 6 : index
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%y : memref<8x32xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %k = arith.subi %i, %c1 : index
    %l = arith.maxsi %k, %c0 : index
    %m = arith.minsi %l, %c5 : index
    %v = memref.load %x[%m, %j] : memref<6x32xf32>
    %low = arith.cmpi sge, %i, %c1 : index
    %high = arith.cmpi sle, %i, %c6 : index
    %in = arith.andi %low, %high : i1
    %r = arith.select %in, %v, %zero : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#foij = affine_map<(f, g, i, j) -> (f, g, i, j)>
#fo = affine_map<(f, g, i, j) -> (f, g)>

// The update of a 1 x 1 filter: its last axes have one element, its neighbours lie along g.
// CHECK-LABEL: func.func @unit_axes
// CHECK:         vector.load
// CHECK:         vector.store
func.func @unit_axes(%w: memref<48x40x1x1xf32>, %dw: memref<48x40xf32>) {
  linalg.generic {indexing_maps = [#foij, #fo, #foij], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%w, %dw : memref<48x40x1x1xf32>, memref<48x40xf32>) outs(%w : memref<48x40x1x1xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.subf %a, %b : f32
    linalg.yield %r : f32
  }
  return
}
