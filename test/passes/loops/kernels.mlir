// RUN: %python %source/test/passes/loops/run_both_ways.py %s --opt %nacre-opt --clang %cc
// Kernels of every kind, each against plain scalar loops on the same random buffers.

#id1 = affine_map<(i) -> (i)>
#id2 = affine_map<(i, j) -> (i, j)>

// sizes: 1 3 14 15 64 131
func.func @linear(%x: memref<?x96xf32>, %w: memref<96x40xf32>, %b: memref<40xf32>, %y: memref<?x40xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x96xf32>
  %t = memref.alloc(%n) : memref<?x40xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<?x40xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<?x96xf32>, memref<96x40xf32>) outs(%t : memref<?x40xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [#id2, affine_map<(i, j) -> (j)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%t, %b : memref<?x40xf32>, memref<40xf32>) outs(%y : memref<?x40xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %p = arith.addf %a, %c : f32
    %r = arith.maximumf %p, %zero : f32
    linalg.yield %r : f32
  }
  memref.dealloc %t : memref<?x40xf32>
  return
}

// The weight as PyTorch stores it: [out, in].
// sizes: 1 5 17
func.func @linear_transposed(%x: memref<?x37xf32>, %w: memref<19x37xf32>, %y: memref<?x19xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?x19xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<?x37xf32>, memref<19x37xf32>) outs(%y : memref<?x19xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

// sizes: 1 17 64
func.func @packed(%x: memref<?x50xf32>, %w: memref<3x50x32xf32>, %y: memref<?x90xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?x90xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<?x50xf32>, memref<3x50x32xf32>) outs(%y : memref<?x90xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

func.func @pack(%w: memref<90x50xf32>, %p: memref<3x50x32xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%p : memref<3x50x32xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n floordiv 32, k, n mod 32)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%w : memref<90x50xf32>) outs(%p : memref<3x50x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// sizes: 1 3
func.func @convolution(%x: memref<?x12x13x3xf32>, %w: memref<20x3x3x3xf32>, %y: memref<?x5x6x20xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?x5x6x20xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, f, u, v, c) -> (n, h * 2 + u, w * 2 + v, c)>,
                                   affine_map<(n, h, w, f, u, v, c) -> (f, u, v, c)>,
                                   affine_map<(n, h, w, f, u, v, c) -> (n, h, w, f)>],
                  iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : memref<?x12x13x3xf32>, memref<20x3x3x3xf32>) outs(%y : memref<?x5x6x20xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

// sizes: 2
func.func @depthwise(%x: memref<?x10x10x24xf32>, %w: memref<24x3x3xf32>, %y: memref<?x8x8x24xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?x8x8x24xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, f, u, v) -> (n, h + u, w + v, f)>,
                                   affine_map<(n, h, w, f, u, v) -> (f, u, v)>,
                                   affine_map<(n, h, w, f, u, v) -> (n, h, w, f)>],
                  iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : memref<?x10x10x24xf32>, memref<24x3x3xf32>) outs(%y : memref<?x8x8x24xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

// sizes: 3
func.func @max_pool(%x: memref<?x8x8x6xf32>, %window: memref<2x2xf32>, %y: memref<?x4x4x6xf32>) {
  %low = arith.constant 0xFF800000 : f32
  linalg.fill ins(%low : f32) outs(%y : memref<?x4x4x6xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, c, u, v) -> (n, h * 2 + u, w * 2 + v, c)>,
                                   affine_map<(n, h, w, c, u, v) -> (u, v)>,
                                   affine_map<(n, h, w, c, u, v) -> (n, h, w, c)>],
                  iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %window : memref<?x8x8x6xf32>, memref<2x2xf32>) outs(%y : memref<?x4x4x6xf32>) {
  ^bb0(%a: f32, %unused: f32, %s: f32):
    %r = arith.maximumf %s, %a : f32
    linalg.yield %r : f32
  }
  return
}

// sizes: 1,10 5,10 3,100 7,131 2,1 2,16
func.func @softmax(%x: memref<?x?xf32>, %y: memref<?x?xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x?xf32>
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %m = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%low : f32) outs(%m : memref<?xf32>)
  linalg.generic {indexing_maps = [#id2, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x?xf32>) outs(%m : memref<?xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.maximumf %s, %a : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [#id2, affine_map<(i, j) -> (i)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : memref<?x?xf32>, memref<?xf32>) outs(%y : memref<?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %e = math.exp %d : f32
    linalg.yield %e : f32
  }
  linalg.fill ins(%zero : f32) outs(%m : memref<?xf32>)
  linalg.generic {indexing_maps = [#id2, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%y : memref<?x?xf32>) outs(%m : memref<?xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%m : memref<?xf32>) outs(%y : memref<?x?xf32>) {
  ^bb0(%b: f32, %a: f32):
    %d = arith.divf %a, %b : f32
    linalg.yield %d : f32
  }
  memref.dealloc %m : memref<?xf32>
  return
}

// sizes: 1 5
func.func @argmax(%x: memref<?x10xf32>, %v: memref<?xf32>, %k: memref<?xi32>) {
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0 : i32
  linalg.fill ins(%low : f32) outs(%v : memref<?xf32>)
  linalg.fill ins(%zero : i32) outs(%k : memref<?xi32>)
  linalg.generic {indexing_maps = [#id2, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x10xf32>) outs(%v, %k : memref<?xf32>, memref<?xi32>) {
  ^bb0(%a: f32, %best: f32, %at: i32):
    %j = linalg.index 1 : index
    %now = arith.index_cast %j : index to i32
    %greater = arith.cmpf ogt, %a, %best : f32
    %m = arith.select %greater, %a, %best : f32
    %p = arith.select %greater, %now, %at : i32
    linalg.yield %m, %p : f32, i32
  }
  return
}

// range: 0 8
func.func @embedding(%ids: memref<5xi32>, %table: memref<9x21xf32>, %y: memref<5x21xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%ids : memref<5xi32>) outs(%y : memref<5x21xf32>) {
  ^bb0(%a: i32, %o: f32):
    %j = linalg.index 1 : index
    %r = arith.index_cast %a : i32 to index
    %t = memref.load %table[%r, %j] : memref<9x21xf32>
    linalg.yield %t : f32
  }
  return
}

// range: 0 8
func.func @gather(%ids: memref<37xi64>, %table: memref<9x3xf32>, %y: memref<37xf32>) {
  %c2 = arith.constant 2 : index
  linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%ids : memref<37xi64>) outs(%y : memref<37xf32>) {
  ^bb0(%a: i64, %o: f32):
    %r = arith.index_cast %a : i64 to index
    %t = memref.load %table[%r, %c2] : memref<9x3xf32>
    linalg.yield %t : f32
  }
  return
}

// sizes: 5 16 33
func.func @transpose(%x: memref<?x23xf32>, %y: memref<23x?xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x23xf32>) outs(%y : memref<23x?xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// sizes: 1 100 4097
// scale: 20
func.func @functions(%x: memref<?xf32>, %a: memref<?xf32>, %b: memref<?xf32>, %c: memref<?xf32>, %d: memref<?xf32>) {
  linalg.generic {indexing_maps = [#id1, #id1, #id1, #id1, #id1], iterator_types = ["parallel"]}
      ins(%x : memref<?xf32>) outs(%a, %b, %c, %d : memref<?xf32>, memref<?xf32>, memref<?xf32>, memref<?xf32>) {
  ^bb0(%v: f32, %o0: f32, %o1: f32, %o2: f32, %o3: f32):
    %t = math.tanh %v : f32
    %e = math.erf %v : f32
    %l = math.log %v : f32
    %r = math.rsqrt %v : f32
    linalg.yield %t, %e, %l, %r : f32, f32, f32, f32
  }
  linalg.generic {indexing_maps = [#id1, #id1, #id1], iterator_types = ["parallel"]}
      ins(%x : memref<?xf32>) outs(%b, %x : memref<?xf32>, memref<?xf32>) {
  ^bb0(%v: f32, %o0: f32, %o1: f32):
    %t = math.log1p %v : f32
    %e = math.exp %v : f32
    linalg.yield %t, %e : f32, f32
  }
  return
}

// sizes: 1 70
func.func @types(%a: memref<?xf64>, %b: memref<?xf16>, %c: memref<?xbf16>, %d: memref<?xi8>, %e: memref<?xi1>, %y: memref<?xf64>, %z: memref<?xi8>) {
  linalg.generic {indexing_maps = [#id1, #id1, #id1, #id1], iterator_types = ["parallel"]}
      ins(%a, %b, %c : memref<?xf64>, memref<?xf16>, memref<?xbf16>) outs(%y : memref<?xf64>) {
  ^bb0(%v0: f64, %v1: f16, %v2: bf16, %o: f64):
    %w1 = arith.extf %v1 : f16 to f64
    %w2 = arith.extf %v2 : bf16 to f64
    %s = arith.addf %v0, %w1 : f64
    %t = arith.mulf %s, %w2 : f64
    linalg.yield %t : f64
  }
  linalg.generic {indexing_maps = [#id1, #id1, #id1], iterator_types = ["parallel"]}
      ins(%d, %e : memref<?xi8>, memref<?xi1>) outs(%z : memref<?xi8>) {
  ^bb0(%v: i8, %w: i1, %o: i8):
    %n = arith.addi %v, %v : i8
    %s = arith.select %w, %n, %v : i8
    linalg.yield %s : i8
  }
  return
}

// sizes: 3
func.func @column_sums(%x: memref<?x7x33xf32>, %y: memref<33xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j, c) -> (i, j, c)>, affine_map<(i, j, c) -> (c)>], iterator_types = ["reduction", "reduction", "parallel"]}
      ins(%x : memref<?x7x33xf32>) outs(%y : memref<33xf32>) {
  ^bb0(%a: f32, %s: f32):
    %r = arith.addf %s, %a : f32
    linalg.yield %r : f32
  }
  return
}

// The residual is added into the buffer that holds it.
// sizes: 1 20
func.func @residual_in_place(%x: memref<?x40xf32>, %w: memref<40x24xf32>, %y: memref<?x24xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x40xf32>
  %t = memref.alloc(%n) : memref<?x24xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<?x24xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<?x40xf32>, memref<40x24xf32>) outs(%t : memref<?x24xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<?x24xf32>) outs(%y : memref<?x24xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.addf %a, %o : f32
    %j = linalg.index 1 : index
    %i = arith.index_cast %j : index to i32
    %f = arith.sitofp %i : i32 to f32
    %q = arith.addf %p, %f : f32
    linalg.yield %q : f32
  }
  memref.dealloc %t : memref<?x24xf32>
  return
}

// The consumer turns the result around: it cannot ride on the tile.
// sizes: 18
func.func @transposing_consumer(%x: memref<?x40xf32>, %w: memref<40x24xf32>, %y: memref<24x?xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x40xf32>
  %t = memref.alloc(%n) : memref<?x24xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<?x24xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<?x40xf32>, memref<40x24xf32>) outs(%t : memref<?x24xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<?x24xf32>) outs(%y : memref<24x?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.negf %a : f32
    linalg.yield %p : f32
  }
  memref.dealloc %t : memref<?x24xf32>
  return
}

// Query times key, the key read against its layout; every extent dynamic.
// sizes: 3,5,16,3,7,16,3,5,7 1,33,16,1,40,16,1,33,40
func.func @batched(%q: memref<?x?x?xf32>, %k: memref<?x?x?xf32>, %s: memref<?x?x?xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%s : memref<?x?x?xf32>)
  linalg.generic {indexing_maps = [affine_map<(b, i, j, d) -> (b, i, d)>, affine_map<(b, i, j, d) -> (b, j, d)>, affine_map<(b, i, j, d) -> (b, i, j)>],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : memref<?x?x?xf32>, memref<?x?x?xf32>) outs(%s : memref<?x?x?xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  }
  return
}

// sizes: 3,5,9,3,9,20,3,5,20 1,40,64,1,64,33,1,40,33
func.func @batched_contiguous(%q: memref<?x?x?xf32>, %k: memref<?x?x?xf32>, %s: memref<?x?x?xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%s : memref<?x?x?xf32>)
  linalg.generic {indexing_maps = [affine_map<(b, i, j, d) -> (b, i, d)>, affine_map<(b, i, j, d) -> (b, d, j)>, affine_map<(b, i, j, d) -> (b, i, j)>],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : memref<?x?x?xf32>, memref<?x?x?xf32>) outs(%s : memref<?x?x?xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  }
  return
}

// Channels first: the lanes run along the width, the rows are filters.
func.func @convolution_channels_first(%x: memref<2x3x9x25xf32>, %w: memref<10x3x3x3xf32>, %y: memref<2x10x7x23xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<2x10x7x23xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, f, h, w, c, u, v) -> (n, c, h + u, w + v)>,
                                   affine_map<(n, f, h, w, c, u, v) -> (f, c, u, v)>,
                                   affine_map<(n, f, h, w, c, u, v) -> (n, f, h, w)>],
                  iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : memref<2x3x9x25xf32>, memref<10x3x3x3xf32>) outs(%y : memref<2x10x7x23xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

// Groups: filter f reads the channels of its group alone.
func.func @convolution_groups(%x: memref<2x9x9x8xf32>, %w: memref<12x4x3x3xf32>, %y: memref<2x7x7x12xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<2x7x7x12xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, f, u, v, c) -> (n, h + u, w + v, (f floordiv 6) * 4 + c)>,
                                   affine_map<(n, h, w, f, u, v, c) -> (f, c, u, v)>,
                                   affine_map<(n, h, w, f, u, v, c) -> (n, h, w, f)>],
                  iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : memref<2x9x9x8xf32>, memref<12x4x3x3xf32>) outs(%y : memref<2x7x7x12xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  return
}

// Large enough for blocks of rows and for several threads, with a bias behind it.
func.func @blocked(%x: memref<200x96xf32>, %w: memref<2x96x32xf32>, %b: memref<60xf32>, %y: memref<200x60xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<200x60xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<200x96xf32>, memref<2x96x32xf32>) outs(%y : memref<200x60xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%b : memref<60xf32>) outs(%y : memref<200x60xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.addf %a, %o : f32
    linalg.yield %p : f32
  }
  return
}

// sizes: 1 30
func.func @product_f64(%x: memref<?x33xf64>, %w: memref<33x21xf64>, %y: memref<?x21xf64>) {
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<?x33xf64>, memref<33x21xf64>) outs(%y : memref<?x21xf64>) {
  ^bb0(%a: f64, %c: f64, %s: f64):
    %p = arith.mulf %a, %c : f64
    %r = arith.addf %s, %p : f64
    linalg.yield %r : f64
  }
  return
}

// sizes: 1 30
func.func @product_integers(%x: memref<?x33xi8>, %w: memref<33x21xi8>, %y: memref<?x21xi32>) {
  linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<?x33xi8>, memref<33x21xi8>) outs(%y : memref<?x21xi32>) {
  ^bb0(%a: i8, %c: i8, %s: i32):
    %d = arith.extsi %a : i8 to i32
    %e = arith.extsi %c : i8 to i32
    %p = arith.muli %d, %e : i32
    %r = arith.addi %s, %p : i32
    linalg.yield %r : i32
  }
  return
}

// Flat buffers of any length, of many vectors and of few.
// sizes: 1 37 700
func.func @elementwise(%x: memref<?x3x5xf32>, %y: memref<?x3x5xf32>, %z: memref<?x3x5xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %y : memref<?x3x5xf32>, memref<?x3x5xf32>) outs(%z : memref<?x3x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.subf %a, %b : f32
    %q = arith.mulf %p, %p : f32
    linalg.yield %q : f32
  }
  memref.copy %z, %x : memref<?x3x5xf32> to memref<?x3x5xf32>
  return
}

func.func @elementwise_large(%x: memref<70x31x7xf32>, %y: memref<70x31x7xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : memref<70x31x7xf32>) outs(%y : memref<70x31x7xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = math.tanh %a : f32
    linalg.yield %p : f32
  }
  return
}

// The gradient of a filter and its update, which reads it in another order.
// tolerance: 1e-4
func.func @update_in_another_order(%x: memref<300x8x5xf32>, %dy: memref<300x70xf32>, %w: memref<70x8x5xf32>) {
  %zero = arith.constant 0.0 : f32
  %rate = arith.constant 0.01 : f32
  %t = memref.alloc() : memref<8x5x70xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<8x5x70xf32>)
  linalg.generic {indexing_maps = [affine_map<(f, g, u, m) -> (m, g, u)>, affine_map<(f, g, u, m) -> (m, f)>, affine_map<(f, g, u, m) -> (g, u, f)>],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %dy : memref<300x8x5xf32>, memref<300x70xf32>) outs(%t : memref<8x5x70xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %r = arith.addf %s, %p : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(f, g, u) -> (f, g, u)>, affine_map<(f, g, u) -> (g, u, f)>, affine_map<(f, g, u) -> (f, g, u)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %t : memref<70x8x5xf32>, memref<8x5x70xf32>) outs(%w : memref<70x8x5xf32>) {
  ^bb0(%a: f32, %g: f32, %o: f32):
    %p = arith.mulf %g, %rate : f32
    %r = arith.subf %a, %p : f32
    linalg.yield %r : f32
  }
  return
}

// Taps of a filter, forwards and backwards: no axis has its neighbours side by side.
// sizes: 1 70
func.func @taps(%w: memref<?x40x3x3xf32>, %y: memref<40x?xf32>, %z: memref<3x40x?xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %w, %c0 : memref<?x40x3x3xf32>
  %one = memref.subview %w[0, 0, 1, 1] [%n, 40, 1, 1] [1, 1, 1, 1] : memref<?x40x3x3xf32> to memref<?x40xf32, strided<[360, 9], offset: 4>>
  linalg.generic {indexing_maps = [affine_map<(f, g) -> (g, f)>, affine_map<(f, g) -> (f, g)>], iterator_types = ["parallel", "parallel"]}
      ins(%one : memref<?x40xf32, strided<[360, 9], offset: 4>>) outs(%y : memref<40x?xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  %column = memref.subview %w[0, 0, 0, 2] [%n, 40, 3, 1] [1, 1, 1, 1] : memref<?x40x3x3xf32> to memref<?x40x3xf32, strided<[360, 9, 3], offset: 2>>
  linalg.generic {indexing_maps = [affine_map<(u, g, f) -> (f, g, -u + 2)>, affine_map<(u, g, f) -> (u, g, f)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%column : memref<?x40x3xf32, strided<[360, 9, 3], offset: 2>>) outs(%z : memref<3x40x?xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// Positions in a buffer that is strided in its last axis, computed in the body.
func.func @looked_up(%w: memref<40x3xf32>, %ids: memref<70xi32>, %y: memref<70xf32>) {
  %column = memref.subview %w[0, 1] [40, 1] [1, 1] : memref<40x3xf32> to memref<40xf32, strided<[3], offset: 1>>
  %c31 = arith.constant 31 : i32
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%ids : memref<70xi32>) outs(%y : memref<70xf32>) {
  ^bb0(%a: i32, %o: f32):
    %m = arith.andi %a, %c31 : i32
    %k = arith.index_cast %m : i32 to index
    %v = memref.load %column[%k] : memref<40xf32, strided<[3], offset: 1>>
    linalg.yield %v : f32
  }
  return
}

// Transposed operands in squares, with rows and lanes left over.
func.func @transposed(%y: memref<45x37xf32>, %z: memref<37x45xf32>,
                      %h: memref<20x37x45xf64>, %k: memref<45x37x20xf64>, %m: memref<45x20xi8>, %n: memref<20x45xi8>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>], iterator_types = ["parallel", "parallel"]}
      ins(%z : memref<37x45xf32>) outs(%y : memref<45x37xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j, l) -> (l, j, i)>, affine_map<(i, j, l) -> (i, j, l)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%h : memref<20x37x45xf64>) outs(%k : memref<45x37x20xf64>) {
  ^bb0(%a: f64, %b: f64):
    linalg.yield %a : f64
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%m : memref<45x20xi8>) outs(%n : memref<20x45xi8>) {
  ^bb0(%a: i8, %b: i8):
    %r = arith.addi %a, %b : i8
    linalg.yield %r : i8
  }
  return
}

// sizes: 3,40 40,3 17,33
func.func @transposed_of_any_size(%g: memref<?x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %g, %c0 : memref<?x?xf32>
  %m = memref.dim %g, %c1 : memref<?x?xf32>
  %t = memref.alloc(%m, %n) : memref<?x?xf32>
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%g : memref<?x?xf32>) outs(%t : memref<?x?xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%g, %t : memref<?x?xf32>, memref<?x?xf32>) outs(%g : memref<?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %d = arith.addf %a, %b : f32
    linalg.yield %d : f32
  }
  return
}

// Transpositions: whole blocks, edges in both axes, fewer rows than lanes, a stack, panels, operands in either order.
func.func @turned(%a: memref<37x53xf32>, %b: memref<53x37xf32>, %c: memref<53x37xf32>, %d: memref<5x64xf64>, %e: memref<64x5xf64>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, #id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : memref<37x53xf32>, memref<53x37xf32>) outs(%c : memref<53x37xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %p, %x : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%d : memref<5x64xf64>) outs(%e : memref<64x5xf64>) {
  ^bb0(%x: f64, %o: f64):
    linalg.yield %x : f64
  }
  return
}

func.func @turned_stack(%a: memref<3x19x6x33xf32>, %b: memref<3x33x19x6xf32>, %w: memref<100x41xf32>, %p: memref<4x41x32xf32>, %i: memref<18x20xi32>, %k: memref<20x18xi32>) {
  linalg.generic {indexing_maps = [affine_map<(n, c, h, w) -> (n, h, w, c)>, affine_map<(n, c, h, w) -> (n, c, h, w)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%a : memref<3x19x6x33xf32>) outs(%b : memref<3x33x19x6xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  linalg.generic {indexing_maps = [#id2, affine_map<(i, j) -> (i floordiv 32, j, i mod 32)>], iterator_types = ["parallel", "parallel"]}
      ins(%w : memref<100x41xf32>) outs(%p : memref<4x41x32xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%i : memref<18x20xi32>) outs(%k : memref<20x18xi32>) {
  ^bb0(%x: i32, %o: i32):
    linalg.yield %x : i32
  }
  return
}

// A window over few elements of many, at one place only: as long as the window, not as what it looks at.
func.func @one_window(%x: memref<9xf32>, %w: memref<3xi8>, %y: memref<1xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, u) -> (i * 2 + u)>, affine_map<(i, u) -> (u)>, affine_map<(i, u) -> (i)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : memref<9xf32>, memref<3xi8>) outs(%y : memref<1xf32>) {
  ^bb0(%a: f32, %s: i8, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  }
  return
}

// Axes of one element at the end, in the middle and everywhere.
func.func @unit_axes(%w: memref<48x41x1x1xf32>, %dw: memref<48x41xf32>, %x: memref<1x1xf32>, %y: memref<1xf32>, %z: memref<7x1x30x1xf32>) {
  linalg.generic {indexing_maps = [affine_map<(f, g, i, j) -> (f, g, i, j)>, affine_map<(f, g, i, j) -> (f, g)>, affine_map<(f, g, i, j) -> (f, g, i, j)>],
                  iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%w, %dw : memref<48x41x1x1xf32>, memref<48x41xf32>) outs(%w : memref<48x41x1x1xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.subf %a, %b : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(f, g) -> (f)>, affine_map<(f, g) -> (f, g)>], iterator_types = ["parallel", "parallel"]}
      ins(%y : memref<1xf32>) outs(%x : memref<1x1xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [affine_map<(f, g, i, j) -> (f, g, i, j)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%z : memref<7x1x30x1xf32>) {
  ^bb0(%o: f32):
    %k = linalg.index 2 : index
    %l = arith.index_cast %k : index to i32
    %m = arith.sitofp %l : i32 to f32
    %r = arith.addf %m, %o : f32
    linalg.yield %r : f32
  }
  return
}
