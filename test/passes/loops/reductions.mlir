// RUN: %python %source/test/passes/loops/run_both_ways.py %s --opt %nacre-opt --clang %cc
// Reductions and accesses that are less common, each against plain scalar loops.

// sizes: 3 40
func.func @any_positive(%x: memref<?x37xf32>, %y: memref<?xi1>) {
  %false = arith.constant false
  %zero = arith.constant 0.9 : f32
  linalg.fill ins(%false : i1) outs(%y : memref<?xi1>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x37xf32>) outs(%y : memref<?xi1>) {
  ^bb0(%a: f32, %s: i1):
    %c = arith.cmpf ogt, %a, %zero : f32
    %r = arith.ori %s, %c : i1
    linalg.yield %r : i1
  }
  return
}

// NaN wins a maximum, and a row of infinities stays one.
// scale: 100
// sizes: 1 33
func.func @extremes(%x: memref<?x50xf32>, %y: memref<?xf32>, %z: memref<?xf32>) {
  %low = arith.constant 0xFF800000 : f32
  %high = arith.constant 0x7F800000 : f32
  linalg.fill ins(%low : f32) outs(%y : memref<?xf32>)
  linalg.fill ins(%high : f32) outs(%z : memref<?xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x50xf32>) outs(%y, %z : memref<?xf32>, memref<?xf32>) {
  ^bb0(%a: f32, %s: f32, %t: f32):
    %r = arith.maximumf %s, %a : f32
    %u = arith.minimumf %t, %a : f32
    linalg.yield %r, %u : f32, f32
  }
  return
}

// sizes: 1 5
func.func @mean_of_image(%x: memref<?x7x9x3xf32>, %y: memref<?xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (n)>], iterator_types = ["parallel", "reduction", "reduction", "reduction"]}
      ins(%x : memref<?x7x9x3xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(n) -> (n)>], iterator_types = ["parallel"]} outs(%y : memref<?xf32>) {
  ^bb0(%a: f32):
    %count = arith.constant 189.0 : f32
    %r = arith.divf %a, %count : f32
    linalg.yield %r : f32
  }
  return
}

// A sum over everything, into one number.
// sizes: 1 3 100 5000
func.func @total(%x: memref<?xi32>, %y: memref<i32>) {
  %zero = arith.constant 0 : i32
  linalg.fill ins(%zero : i32) outs(%y : memref<i32>)
  linalg.generic {indexing_maps = [affine_map<(n) -> (n)>, affine_map<(n) -> ()>], iterator_types = ["reduction"]}
      ins(%x : memref<?xi32>) outs(%y : memref<i32>) {
  ^bb0(%a: i32, %s: i32):
    %p = arith.muli %a, %a : i32
    %r = arith.addi %s, %p : i32
    linalg.yield %r : i32
  }
  return
}

// The reduction, then its square root at once.
// sizes: 1 20
func.func @norm(%x: memref<?x100xf32>, %y: memref<?xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x100xf32>
  %t = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<?xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x100xf32>) outs(%t : memref<?xf32>) {
  ^bb0(%a: f32, %s: f32):
    %p = arith.mulf %a, %a : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%t : memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.sqrt %a : f32
    linalg.yield %r : f32
  }
  memref.dealloc %t : memref<?xf32>
  return
}

// Channels first with stride 2 and dilation 2: the lanes step over the row.
func.func @strided_convolution(%x: memref<2x3x15x45xf32>, %w: memref<5x3x3x3xf32>, %y: memref<2x5x6x21xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<2x5x6x21xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, f, h, w, c, u, v) -> (n, c, h * 2 + u * 2, w * 2 + v * 2)>,
                                   affine_map<(n, f, h, w, c, u, v) -> (f, c, u, v)>,
                                   affine_map<(n, f, h, w, c, u, v) -> (n, f, h, w)>],
                  iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : memref<2x3x15x45xf32>, memref<5x3x3x3xf32>) outs(%y : memref<2x5x6x21xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

// A vector times a matrix, dynamic in all; pairwise distances; every other element, backwards.
// sizes: 5,5,3,3 64,64,100,100
func.func @vector_times_matrix(%x: memref<?xf32>, %w: memref<?x?xf32>, %y: memref<?xf32>) {
  linalg.generic {indexing_maps = [affine_map<(n, k) -> (k)>, affine_map<(n, k) -> (k, n)>, affine_map<(n, k) -> (n)>], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : memref<?xf32>, memref<?x?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

func.func @distances(%x: memref<20x11xf32>, %w: memref<11x35xf32>, %y: memref<20x35xf32>) {
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<20x11xf32>, memref<11x35xf32>) outs(%y : memref<20x35xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %d = arith.subf %a, %b : f32
    %p = arith.mulf %d, %d : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

func.func @backwards(%x: memref<81xf32>, %y: memref<40xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (-i * 2 + 79)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : memref<81xf32>) outs(%y : memref<40xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// Each element twice: neither contiguous nor linear in the lanes.
func.func @repeat_elements(%x: memref<33xf32>, %y: memref<66xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i floordiv 2)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : memref<33xf32>) outs(%y : memref<66xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}
