// RUN: %nacre-opt --nacre-pack-dots=dots=amx-bf16+amx-u8s8 %s | %FileCheck %s
// RUN: %nacre-opt --nacre-pack-dots=dots=avx512bf16 %s | %FileCheck --check-prefix=VECTORS %s
// RUN: %nacre-opt --nacre-pack-dots %s | %FileCheck --check-prefix=NONE %s
// Factors in groups of two (bf16) or four (bytes), padded along the reduced axis; and what has no such instruction.

// NONE-NOT: tensor<{{.*}}x16x{{[24]}}x
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>

// CHECK-DAG: #[[PANELS:.*]] = affine_map<(d0, d1, d2) -> (d1 floordiv 16, d2 floordiv 2, d1 mod 16, d2 mod 2)>
// CHECK-DAG: #[[BYTES:.*]] = affine_map<(d0, d1, d2) -> (d1 floordiv 16, d2 floordiv 4, d1 mod 16, d2 mod 4)>

// CHECK-LABEL: @product
// CHECK: %[[PACKED:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<3x32x16x2xbf16>)
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[PANELS]], #{{.*}}]{{.*}} ins(%arg0, %[[PACKED]] : tensor<64x64xbf16>, tensor<3x32x16x2xbf16>)
func.func @product(%a: tensor<64x64xbf16>, %b: tensor<64x40xbf16>, %y: tensor<64x40xf32>) -> tensor<64x40xf32> {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x64xbf16>, tensor<64x40xbf16>) outs(%y : tensor<64x40xf32>) {
  ^bb0(%p: bf16, %q: bf16, %s: f32):
    %v = arith.extf %p : bf16 to f32
    %w = arith.extf %q : bf16 to f32
    %m = arith.mulf %v, %w : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<64x40xf32>
  return %r : tensor<64x40xf32>
}

// Zeros behind both factors; vectors need no more than whole groups.
// CHECK-LABEL: @ragged
// CHECK: tensor.insert_slice %arg0 into {{.*}} : tensor<64x50xbf16> into tensor<64x64xbf16>
// CHECK: tensor.insert_slice %arg1 into {{.*}} : tensor<50x40xbf16> into tensor<64x40xbf16>
// CHECK: tensor<64x64xbf16>, tensor<3x32x16x2xbf16>
// VECTORS-LABEL: @ragged
// VECTORS-NOT: insert_slice
// VECTORS: tensor<64x50xbf16>, tensor<3x25x16x2xbf16>
func.func @ragged(%a: tensor<64x50xbf16>, %b: tensor<50x40xbf16>, %y: tensor<64x40xf32>) -> tensor<64x40xf32> {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x50xbf16>, tensor<50x40xbf16>) outs(%y : tensor<64x40xf32>) {
  ^bb0(%p: bf16, %q: bf16, %s: f32):
    %v = arith.extf %p : bf16 to f32
    %w = arith.extf %q : bf16 to f32
    %m = arith.mulf %v, %w : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<64x40xf32>
  return %r : tensor<64x40xf32>
}

// CHECK-LABEL: @bytes
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[BYTES]], #{{.*}}]{{.*}} : tensor<64x64xi8>, tensor<3x16x16x4xi8>)
func.func @bytes(%a: tensor<64x64xi8>, %b: tensor<64x40xi8>, %y: tensor<64x40xi32>) -> tensor<64x40xi32> {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x64xi8>, tensor<64x40xi8>) outs(%y : tensor<64x40xi32>) {
  ^bb0(%p: i8, %q: i8, %s: i32):
    %v = arith.extui %p : i8 to i32
    %w = arith.extsi %q : i8 to i32
    %m = arith.muli %v, %w : i32
    %t = arith.addi %s, %m : i32
    linalg.yield %t : i32
  } -> tensor<64x40xi32>
  return %r : tensor<64x40xi32>
}

// What a training step rounds and keeps as f32 is kept as bf16 instead.
// CHECK-LABEL: @rounded
// CHECK: arith.truncf {{.*}} f32 to bf16
// CHECK-NEXT: linalg.yield {{.*}} : bf16
// CHECK: tensor<64x64xbf16>, tensor<3x32x16x2xbf16>
func.func @rounded(%x: tensor<64x64xf32>, %b: tensor<64x40xbf16>, %y: tensor<64x40xf32>) -> tensor<64x40xf32> {
  %e = tensor.empty() : tensor<64x64xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) {
  ^bb0(%p: f32, %o: f32):
    %h = arith.truncf %p : f32 to bf16
    %w = arith.extf %h : bf16 to f32
    linalg.yield %w : f32
  } -> tensor<64x64xf32>
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x64xf32>, tensor<64x40xbf16>) outs(%y : tensor<64x40xf32>) {
  ^bb0(%p: f32, %q: bf16, %s: f32):
    %w = arith.extf %q : bf16 to f32
    %m = arith.mulf %p, %w : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<64x40xf32>
  return %r : tensor<64x40xf32>
}

// Near misses: one factor is f32, few rows share what would be packed, an unknown number of columns, a maximum.
// CHECK-LABEL: @wide
// CHECK-NOT: x16x2xbf16
func.func @wide(%a: tensor<64x64xf32>, %b: tensor<64x40xbf16>, %y: tensor<64x40xf32>) -> tensor<64x40xf32> {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x64xf32>, tensor<64x40xbf16>) outs(%y : tensor<64x40xf32>) {
  ^bb0(%p: f32, %q: bf16, %s: f32):
    %w = arith.extf %q : bf16 to f32
    %m = arith.mulf %p, %w : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<64x40xf32>
  return %r : tensor<64x40xf32>
}

// CHECK-LABEL: @few
// CHECK-NOT: x16x2xbf16
func.func @few(%a: tensor<4x64xbf16>, %b: tensor<64x40xbf16>, %y: tensor<4x40xf32>) -> tensor<4x40xf32> {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<4x64xbf16>, tensor<64x40xbf16>) outs(%y : tensor<4x40xf32>) {
  ^bb0(%p: bf16, %q: bf16, %s: f32):
    %v = arith.extf %p : bf16 to f32
    %w = arith.extf %q : bf16 to f32
    %m = arith.mulf %v, %w : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<4x40xf32>
  return %r : tensor<4x40xf32>
}

// CHECK-LABEL: @dynamic
// CHECK-NOT: x16x2xbf16
func.func @dynamic(%a: tensor<64x64xbf16>, %b: tensor<64x?xbf16>, %y: tensor<64x?xf32>) -> tensor<64x?xf32> {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x64xbf16>, tensor<64x?xbf16>) outs(%y : tensor<64x?xf32>) {
  ^bb0(%p: bf16, %q: bf16, %s: f32):
    %v = arith.extf %p : bf16 to f32
    %w = arith.extf %q : bf16 to f32
    %m = arith.mulf %v, %w : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<64x?xf32>
  return %r : tensor<64x?xf32>
}

// CHECK-LABEL: @maximum
// CHECK-NOT: x16x2xbf16
func.func @maximum(%a: tensor<64x64xbf16>, %b: tensor<64x40xbf16>, %y: tensor<64x40xf32>) -> tensor<64x40xf32> {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x64xbf16>, tensor<64x40xbf16>) outs(%y : tensor<64x40xf32>) {
  ^bb0(%p: bf16, %q: bf16, %s: f32):
    %v = arith.extf %p : bf16 to f32
    %w = arith.extf %q : bf16 to f32
    %m = arith.mulf %v, %w : f32
    %t = arith.maximumf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<64x40xf32>
  return %r : tensor<64x40xf32>
}
