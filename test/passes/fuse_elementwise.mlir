// RUN: %nacre-opt %s -pass-pipeline='builtin.module(func.func(nacre-fuse-elementwise))' | %FileCheck %s
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
#one = affine_map<(i) -> (i)>

// CHECK-LABEL: func.func @chain
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT: linalg.generic
func.func @chain(%x: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %e = tensor.empty() : tensor<4x5xf32>
  %a = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = math.exp %s : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  %b = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = arith.addf %s, %s : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  return %b : tensor<4x5xf32>
}

// A root per row is not computed again for every column.
// CHECK-LABEL: func.func @costly_broadcast
// CHECK: math.sqrt
// CHECK: linalg.generic
// CHECK: arith.mulf
func.func @costly_broadcast(%v: tensor<4xf32>, %x: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %e1 = tensor.empty() : tensor<4xf32>
  %r = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]}
      ins(%v : tensor<4xf32>) outs(%e1 : tensor<4xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = math.sqrt %s : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %e = tensor.empty() : tensor<4x5xf32>
  %b = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x, %r : tensor<4x5xf32>, tensor<4xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %w: f32, %o: f32):
    %t = arith.mulf %s, %w : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  return %b : tensor<4x5xf32>
}

// Two stored updates of one op, both read by a third: fusing one reading away would leave an op that reads itself.
// CHECK-LABEL: func.func @reads_both_updates
// CHECK: linalg.generic
// CHECK: linalg.generic
// CHECK: return
func.func @reads_both_updates(%x: tensor<4x5xf32>)
    -> (tensor<4x5xf32> {nacre.store = [0, 0]}, tensor<4x5xf32> {nacre.store = [0, 1]}, tensor<4x5xf32> {nacre.store = [0, 2]})
    attributes {nacre.training} {
  %e = tensor.empty() : tensor<4x5xf32>
  %two:2 = linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x5xf32>) outs(%e, %e : tensor<4x5xf32>, tensor<4x5xf32>) {
  ^bb0(%s: f32, %o: f32, %p: f32):
    %t = arith.addf %s, %s : f32
    %u = arith.mulf %s, %s : f32
    linalg.yield %t, %u : f32, f32
  } -> (tensor<4x5xf32>, tensor<4x5xf32>)
  %third = linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%two#0, %two#1 : tensor<4x5xf32>, tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %t: f32, %o: f32):
    %u = arith.subf %s, %t : f32
    linalg.yield %u : f32
  } -> tensor<4x5xf32>
  return %two#0, %two#1, %third : tensor<4x5xf32>, tensor<4x5xf32>, tensor<4x5xf32>
}

// A difference from a broadcast mean is computed again by each reader: it costs less than the way through memory.
// CHECK-LABEL: func.func @cheap_for_all
// CHECK:         linalg.generic {{.*}} ins(%arg0, %arg1
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.subf
// CHECK-NEXT:      math.exp
// CHECK:         linalg.generic {{.*}} ins(%arg0, %arg1
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.subf
// CHECK-NEXT:      arith.addf
// CHECK-NOT:     linalg.generic
func.func @cheap_for_all(%x: tensor<4x5xf32>, %m: tensor<4xf32>, %sum: tensor<4xf32>) -> (tensor<4x5xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4x5xf32>
  %c = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x5xf32>, tensor<4xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %w: f32, %o: f32):
    %t = arith.subf %s, %w : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  %a = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = math.exp %s : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  %b = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
      ins(%c : tensor<4x5xf32>) outs(%sum : tensor<4xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = arith.addf %o, %s : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %a, %b : tensor<4x5xf32>, tensor<4xf32>
}

// Near miss: a sum of two whole tensors is stored once; each reader would read both.
// CHECK-LABEL: func.func @two_whole_operands
// CHECK-COUNT-3: linalg.generic
func.func @two_whole_operands(%x: tensor<4x5xf32>, %y: tensor<4x5xf32>, %sum: tensor<4xf32>) -> (tensor<4x5xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4x5xf32>
  %c = linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : tensor<4x5xf32>, tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %w: f32, %o: f32):
    %t = arith.subf %s, %w : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  %a = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = math.exp %s : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  %b = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
      ins(%c : tensor<4x5xf32>) outs(%sum : tensor<4xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = arith.addf %o, %s : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %a, %b : tensor<4x5xf32>, tensor<4xf32>
}

// Near miss: somebody needs the tensor itself, so it is stored and read.
// CHECK-LABEL: func.func @returned_as_well
// CHECK-COUNT-2: linalg.generic
func.func @returned_as_well(%x: tensor<4x5xf32>, %m: tensor<4xf32>) -> (tensor<4x5xf32>, tensor<4x5xf32>) {
  %e = tensor.empty() : tensor<4x5xf32>
  %c = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<4x5xf32>, tensor<4xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %w: f32, %o: f32):
    %t = arith.subf %s, %w : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  %a = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%s: f32, %o: f32):
    %t = math.exp %s : f32
    linalg.yield %t : f32
  } -> tensor<4x5xf32>
  return %a, %c : tensor<4x5xf32>, tensor<4x5xf32>
}

// A sum does not wait for a product that is computed after it, which would keep both of its operands until then.
// CHECK-LABEL: func.func @waits
// CHECK-COUNT-3: linalg.generic
// CHECK-NOT: linalg.generic
func.func @waits(%a: tensor<40x50xf32>, %b: tensor<40x50xf32>, %x: tensor<40x30xf32>, %w: tensor<30x50xf32>) -> tensor<40x50xf32> {
  %e = tensor.empty() : tensor<40x50xf32>
  %q = linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : tensor<40x50xf32>, tensor<40x50xf32>) outs(%e : tensor<40x50xf32>) {
  ^bb0(%s: f32, %t: f32, %o: f32):
    %u = arith.addf %s, %t : f32
    linalg.yield %u : f32
  } -> tensor<40x50xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<40x30xf32>, tensor<30x50xf32>) outs(%e : tensor<40x50xf32>) {
  ^bb0(%s: f32, %t: f32, %o: f32):
    %u = arith.mulf %s, %t : f32
    %v = arith.addf %o, %u : f32
    linalg.yield %v : f32
  } -> tensor<40x50xf32>
  %r = linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%q, %p : tensor<40x50xf32>, tensor<40x50xf32>) outs(%e : tensor<40x50xf32>) {
  ^bb0(%s: f32, %t: f32, %o: f32):
    %u = arith.addf %s, %t : f32
    linalg.yield %u : f32
  } -> tensor<40x50xf32>
  return %r : tensor<40x50xf32>
}

// Near miss: the product is there already.
// CHECK-LABEL: func.func @computed_before
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT: linalg.generic
func.func @computed_before(%a: tensor<40x50xf32>, %b: tensor<40x50xf32>, %x: tensor<40x30xf32>, %w: tensor<30x50xf32>) -> tensor<40x50xf32> {
  %e = tensor.empty() : tensor<40x50xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<40x30xf32>, tensor<30x50xf32>) outs(%e : tensor<40x50xf32>) {
  ^bb0(%s: f32, %t: f32, %o: f32):
    %u = arith.mulf %s, %t : f32
    %v = arith.addf %o, %u : f32
    linalg.yield %v : f32
  } -> tensor<40x50xf32>
  %q = linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : tensor<40x50xf32>, tensor<40x50xf32>) outs(%e : tensor<40x50xf32>) {
  ^bb0(%s: f32, %t: f32, %o: f32):
    %u = arith.addf %s, %t : f32
    linalg.yield %u : f32
  } -> tensor<40x50xf32>
  %r = linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%q, %p : tensor<40x50xf32>, tensor<40x50xf32>) outs(%e : tensor<40x50xf32>) {
  ^bb0(%s: f32, %t: f32, %o: f32):
    %u = arith.addf %s, %t : f32
    linalg.yield %u : f32
  } -> tensor<40x50xf32>
  return %r : tensor<40x50xf32>
}
