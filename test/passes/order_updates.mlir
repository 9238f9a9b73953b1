// RUN: %nacre-opt %s -nacre-order-updates -nacre-bufferize -canonicalize | %FileCheck %s
#id = affine_map<(i) -> (i)>
#ij = affine_map<(i, j) -> (i, j)>
#ji = affine_map<(i, j) -> (j, i)>
#i = affine_map<(i, j) -> (i)>
#j = affine_map<(i, j) -> (j)>

// The update comes after the product that reads the old weight, and is written over it.
// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[W:.*]]: memref<4x3xf32> {nacre.weight = array<i64: 0, 0>}, %[[G:.*]]: memref<4x3xf32>{{.*}}, %[[X:.*]]: memref<3xf32>{{.*}}, %[[Y:.*]]: memref<4xf32>
// CHECK-NOT: memref.alloc
// CHECK: linalg.generic {{.*}} ins(%[[W]], %[[X]] : {{.*}} outs(%[[Y]] :
// CHECK: linalg.generic {{.*}} ins(%[[W]], %[[G]] : {{.*}} outs(%[[W]] :
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @step(%w: tensor<4x3xf32> {nacre.weight = array<i64: 0, 0>},
                %g: tensor<4x3xf32> {nacre.argument = 0 : i64}, %x: tensor<3xf32> {nacre.argument = 1 : i64})
    -> (tensor<4xf32> {nacre.result = 0 : i64}, tensor<4x3xf32> {nacre.store = array<i64: 0, 0>})
    attributes {nacre.training, nacre.entry = "fit.step", nacre.models = array<i64: 0>} {
  %zero = arith.constant 0.0 : f32
  %rate = arith.constant 0.1 : f32
  %e = tensor.empty() : tensor<4x3xf32>
  %w2 = linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%w, %g : tensor<4x3xf32>, tensor<4x3xf32>) outs(%e : tensor<4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.mulf %b, %rate : f32
    %t = arith.subf %a, %s : f32
    linalg.yield %t : f32
  } -> tensor<4x3xf32>
  %e4 = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e4 : tensor<4xf32>) -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#ij, #j, #i], iterator_types = ["parallel", "reduction"]}
      ins(%w, %x : tensor<4x3xf32>, tensor<3xf32>) outs(%f : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.mulf %a, %b : f32
    %t = arith.addf %o, %s : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %y, %w2 : tensor<4xf32>, tensor<4x3xf32>
}

// Momentum in one weight, read by the update of another: both in place, the first one before the second.
// CHECK-LABEL: func.func @momentum
// CHECK-SAME: %[[W:.*]]: memref<3xf32> {nacre.weight = array<i64: 0, 0>}, %[[M:.*]]: memref<3xf32> {nacre.weight = array<i64: 1, 0>}, %[[G:.*]]: memref<3xf32>
// CHECK-NOT: memref.alloc
// CHECK: linalg.generic {{.*}} ins(%[[M]], %[[G]] : {{.*}} outs(%[[M]] :
// CHECK: linalg.generic {{.*}} ins(%[[W]], %[[M]] : {{.*}} outs(%[[W]] :
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @momentum(%w: tensor<3xf32> {nacre.weight = array<i64: 0, 0>}, %m: tensor<3xf32> {nacre.weight = array<i64: 1, 0>},
                    %g: tensor<3xf32> {nacre.argument = 0 : i64})
    -> (tensor<3xf32> {nacre.store = array<i64: 0, 0>}, tensor<3xf32> {nacre.store = array<i64: 1, 0>})
    attributes {nacre.training, nacre.entry = "fit.step", nacre.models = array<i64: 0, 1>} {
  %e = tensor.empty() : tensor<3xf32>
  %m2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%m, %g : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.addf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  %w2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%w, %m2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.subf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  return %w2, %m2 : tensor<3xf32>, tensor<3xf32>
}

// What must be copied at the end: an update that reads its weight transposed,
// CHECK-LABEL: func.func @transposed
// CHECK-SAME: %[[W:.*]]: memref<4x4xf32>
// CHECK: %[[NEW:.*]] = memref.alloc
// CHECK: linalg.generic {{.*}} ins(%[[W]], %[[W]] : {{.*}} outs(%[[NEW]] :
// CHECK: linalg.generic {{.*}} ins(%[[NEW]] : {{.*}} outs(%[[W]] :
// CHECK: return
func.func @transposed(%w: tensor<4x4xf32> {nacre.weight = array<i64: 0, 0>}) -> (tensor<4x4xf32> {nacre.store = array<i64: 0, 0>})
    attributes {nacre.training, nacre.entry = "fit.step", nacre.models = array<i64: 0>} {
  %e = tensor.empty() : tensor<4x4xf32>
  %w2 = linalg.generic {indexing_maps = [#ij, #ji, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%w, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.addf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<4x4xf32>
  return %w2 : tensor<4x4xf32>
}

// an old value that is needed together with the new one (Nesterov's step reads both velocities),
// CHECK-LABEL: func.func @both
// CHECK-SAME: %[[W:.*]]: memref<3xf32> {{{.*}}}, %[[M:.*]]: memref<3xf32> {{{.*}}}, %[[G:.*]]: memref<3xf32>
// CHECK: %[[NEW:.*]] = memref.alloc
// CHECK: linalg.generic {{.*}} ins(%[[M]], %[[G]] : {{.*}} outs(%[[NEW]] :
// CHECK: linalg.generic {{.*}} ins(%[[W]], %[[M]], %[[NEW]] : {{.*}} outs(%[[W]] :
// CHECK: linalg.generic {{.*}} ins(%[[NEW]] : {{.*}} outs(%[[M]] :
// CHECK: return
func.func @both(%w: tensor<3xf32> {nacre.weight = array<i64: 0, 0>}, %m: tensor<3xf32> {nacre.weight = array<i64: 1, 0>},
                %g: tensor<3xf32> {nacre.argument = 0 : i64})
    -> (tensor<3xf32> {nacre.store = array<i64: 0, 0>}, tensor<3xf32> {nacre.store = array<i64: 1, 0>})
    attributes {nacre.training, nacre.entry = "fit.step", nacre.models = array<i64: 0, 1>} {
  %e = tensor.empty() : tensor<3xf32>
  %m2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%m, %g : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.addf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  %w2 = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]}
      ins(%w, %m, %m2 : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %s = arith.addf %b, %c : f32
    %t = arith.subf %a, %s : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  return %w2, %m2 : tensor<3xf32>, tensor<3xf32>
}

// two weights that change places,
// CHECK-LABEL: func.func @swap
// CHECK-SAME: %[[A:.*]]: memref<3xf32> {nacre.weight = array<i64: 0, 0>}, %[[B:.*]]: memref<3xf32>
// CHECK: %[[OLDB:.*]] = memref.alloc
// CHECK: linalg.generic {{.*}} ins(%[[B]] : {{.*}} outs(%[[OLDB]] :
// CHECK: %[[OLDA:.*]] = memref.alloc
// CHECK: linalg.generic {{.*}} ins(%[[A]] : {{.*}} outs(%[[OLDA]] :
// CHECK: linalg.generic {{.*}} ins(%[[OLDB]] : {{.*}} outs(%[[A]] :
// CHECK: linalg.generic {{.*}} ins(%[[OLDA]] : {{.*}} outs(%[[B]] :
// CHECK: return
func.func @swap(%a: tensor<3xf32> {nacre.weight = array<i64: 0, 0>}, %b: tensor<3xf32> {nacre.weight = array<i64: 0, 1>})
    -> (tensor<3xf32> {nacre.store = array<i64: 0, 0>}, tensor<3xf32> {nacre.store = array<i64: 0, 1>})
    attributes {nacre.training, nacre.entry = "fit.step", nacre.models = array<i64: 0>} {
  return %b, %a : tensor<3xf32>, tensor<3xf32>
}

// a weight whose old value is a result,
// CHECK-LABEL: func.func @old_as_result
// CHECK-SAME: %[[W:.*]]: memref<3xf32> {{{.*}}}, %[[OLD:.*]]: memref<3xf32>
// CHECK: %[[NEW:.*]] = memref.alloc
// CHECK: linalg.generic {{.*}} outs(%[[NEW]] :
// CHECK: linalg.generic {{.*}} ins(%[[W]] : {{.*}} outs(%[[OLD]] :
// CHECK: linalg.generic {{.*}} ins(%[[NEW]] : {{.*}} outs(%[[W]] :
// CHECK: return
func.func @old_as_result(%w: tensor<3xf32> {nacre.weight = array<i64: 0, 0>})
    -> (tensor<3xf32> {nacre.result = 0 : i64}, tensor<3xf32> {nacre.store = array<i64: 0, 0>})
    attributes {nacre.training, nacre.entry = "fit.step", nacre.models = array<i64: 0>} {
  %e = tensor.empty() : tensor<3xf32>
  %w2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%w : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %a : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  return %w, %w2 : tensor<3xf32>, tensor<3xf32>
}

// and an update that looks elements up by number.
// CHECK-LABEL: func.func @gathers
// CHECK-SAME: %[[W:.*]]: memref<3xf32>
// CHECK: %[[NEW:.*]] = memref.alloc
// CHECK: linalg.generic {{.*}} outs(%[[NEW]] :
// CHECK: memref.load %[[W]]
// CHECK: linalg.generic {{.*}} ins(%[[NEW]] : {{.*}} outs(%[[W]] :
// CHECK: return
func.func @gathers(%w: tensor<3xf32> {nacre.weight = array<i64: 0, 0>}) -> (tensor<3xf32> {nacre.store = array<i64: 0, 0>})
    attributes {nacre.training, nacre.entry = "fit.step", nacre.models = array<i64: 0>} {
  %two = arith.constant 2 : index
  %e = tensor.empty() : tensor<3xf32>
  %w2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%w : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = linalg.index 0 : index
    %back = arith.subi %two, %n : index
    %b = tensor.extract %w[%back] : tensor<3xf32>
    %t = arith.addf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  return %w2 : tensor<3xf32>
}

// One destination for two results: the second keeps it when the first is written over its weight.
// CHECK-LABEL: func.func @one_destination
// CHECK-SAME: %[[W:.*]]: memref<3xf32> {nacre.weight
// CHECK: linalg.generic {{.*}} outs(%{{.*}}, %[[W]] :
// CHECK: return
func.func @one_destination(%w: tensor<3xf32> {nacre.weight = array<i64: 0, 0>}, %g: tensor<3xf32> {nacre.argument = 0 : i64})
    -> (tensor<3xf32> {nacre.result = 0 : i64}, tensor<3xf32> {nacre.store = array<i64: 0, 0>})
    attributes {nacre.training, nacre.entry = "fit.step", nacre.models = array<i64: 0>} {
  %e = tensor.empty() : tensor<3xf32>
  %r:2 = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]}
      ins(%w, %g : tensor<3xf32>, tensor<3xf32>) outs(%e, %e : tensor<3xf32>, tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32, %p: f32):
    %t = arith.addf %a, %b : f32
    %u = arith.subf %a, %b : f32
    linalg.yield %t, %u : f32, f32
  } -> (tensor<3xf32>, tensor<3xf32>)
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}
