// RUN: %python %source/test/passes/loops/run_both_ways.py %s --opt %nacre-opt --clang %cc
// What the passes on tensors make of sums, run beside the sums as they stand.
#dy = affine_map<(f, g, u, v, m, i, j) -> (m, i, j, f)>
#x = affine_map<(f, g, u, v, m, i, j) -> (m, i + u, j + v, g)>
#dw = affine_map<(f, g, u, v, m, i, j) -> (f, g, u, v)>
#w = affine_map<(m, p, q, g, u, v, f) -> (f, g, -u + 2, v * -2 + 4)>
#dyp = affine_map<(m, p, q, g, u, v, f) -> (m, p + u, q + v, f)>
#window = affine_map<(m, p, q, g, u, v, f) -> (u, v)>
#dx = affine_map<(m, p, q, g, u, v, f) -> (m, p, q, g)>
#mc = affine_map<(c, m) -> (m, c)>
#c = affine_map<(c, m) -> (c)>

// tolerance: 1e-4
func.func @filter(%dy: tensor<4x10x10x20xf32>, %x: tensor<4x12x12x6xf32>) -> tensor<20x6x3x3xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<20x6x3x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<20x6x3x3xf32>) -> tensor<20x6x3x3xf32>
  %r = linalg.generic {indexing_maps = [#dy, #x, #dw],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%dy, %x : tensor<4x10x10x20xf32>, tensor<4x12x12x6xf32>) outs(%f : tensor<20x6x3x3xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<20x6x3x3xf32>
  return %r : tensor<20x6x3x3xf32>
}

// The gradient of an image: the filter backwards and in steps, the rim dropped.
// tolerance: 1e-4
func.func @image(%w: tensor<20x40x3x5xf32>, %dy: tensor<2x14x14x20xf32>, %window: tensor<3x3xi8>) -> tensor<2x10x9x40xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x12x12x40xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x12x12x40xf32>) -> tensor<2x12x12x40xf32>
  %r = linalg.generic {indexing_maps = [#w, #dyp, #window, #dx],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %dy, %window : tensor<20x40x3x5xf32>, tensor<2x14x14x20xf32>, tensor<3x3xi8>) outs(%f : tensor<2x12x12x40xf32>) {
  ^bb0(%a: f32, %b: f32, %n: i8, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x12x12x40xf32>
  %inside = tensor.extract_slice %r[0, 1, 2, 0] [2, 10, 9, 40] [1, 1, 1, 1] : tensor<2x12x12x40xf32> to tensor<2x10x9x40xf32>
  return %inside : tensor<2x10x9x40xf32>
}

// tolerance: 1e-3
func.func @columns(%x: tensor<32768x37xf32>) -> tensor<37xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<37xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<37xf32>) -> tensor<37xf32>
  %r = linalg.generic {indexing_maps = [#mc, #c], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32768x37xf32>) outs(%f : tensor<37xf32>) {
  ^bb0(%a: f32, %c: f32):
    %s = arith.addf %c, %a : f32
    linalg.yield %s : f32
  } -> tensor<37xf32>
  return %r : tensor<37xf32>
}

// Products with a large matrix that is not transposed: the rows are the lanes.
#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// tolerance: 1e-4
func.func @rows(%x: tensor<31x1031xf32>, %w: tensor<301x1031xf32>) -> tensor<31x301xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<31x301xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<31x301xf32>) -> tensor<31x301xf32>
  %r = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<31x1031xf32>, tensor<301x1031xf32>) outs(%f : tensor<31x301xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<31x301xf32>
  return %r : tensor<31x301xf32>
}

// sizes: 1 5 33 64
// tolerance: 1e-4
func.func @some_rows(%x: tensor<?x1024xf32>, %w: tensor<301x1024xf32>) -> tensor<?x301xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x1024xf32>
  %e = tensor.empty(%n) : tensor<?x301xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x301xf32>) -> tensor<?x301xf32>
  %r = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x1024xf32>, tensor<301x1024xf32>) outs(%f : tensor<?x301xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x301xf32>
  return %r : tensor<?x301xf32>
}

// A right operand that is packed while it is multiplied: rows a power of two apart are packed in four blocks of steps,
// between which the sums lie in the result; the last columns and the last block are ragged; bias and maximum come last.
// sizes: 24 25 70
func.func @packed_on_the_way(%a: tensor<?x905xf32>, %b: tensor<905x1024xf32>, %bias: tensor<1024xf32>) -> tensor<?x1024xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %a, %c0 : tensor<?x905xf32>
  %e = tensor.empty(%m) : tensor<?x1024xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x1024xf32>) -> tensor<?x1024xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x905xf32>, tensor<905x1024xf32>) outs(%f : tensor<?x1024xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %t = arith.mulf %p, %q : f32
    %r = arith.addf %s, %t : f32
    linalg.yield %r : f32
  } -> tensor<?x1024xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%y, %bias : tensor<?x1024xf32>, tensor<1024xf32>) outs(%e : tensor<?x1024xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %t = arith.addf %p, %q : f32
    %r = arith.maximumf %t, %zero : f32
    linalg.yield %r : f32
  } -> tensor<?x1024xf32>
  return %z : tensor<?x1024xf32>
}

// The same, one product for each of three batches, with columns that are no multiple of a vector.
func.func @packed_batches(%a: tensor<3x60x100xf32>, %b: tensor<3x100x147xf32>) -> tensor<3x60x147xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x60x147xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3x60x147xf32>) -> tensor<3x60x147xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, m, n, k) -> (i, m, k)>, affine_map<(i, m, n, k) -> (i, k, n)>, affine_map<(i, m, n, k) -> (i, m, n)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<3x60x100xf32>, tensor<3x100x147xf32>) outs(%f : tensor<3x60x147xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %t = arith.mulf %p, %q : f32
    %r = arith.addf %s, %t : f32
    linalg.yield %r : f32
  } -> tensor<3x60x147xf32>
  return %y : tensor<3x60x147xf32>
}
