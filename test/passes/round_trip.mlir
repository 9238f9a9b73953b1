// RUN: %nacre-opt %s | %nacre-opt | %FileCheck %s

// CHECK: nacre.equation sum extents<()[s0] -> (s0, 10, 784)>[%{{.*}}] reads (%{{.*}} : tensor<?x784xf32> at (d0, d1, d2)[s0] -> (d0, d2),
// CHECK: nacre.reshape %{{.*}} extents<()[s0] -> (s0, 2, 5)>[%{{.*}}] : tensor<?x10xf32> to tensor<?x2x5xf32>
// CHECK: nacre.constant dense<1.000000e+00> : tensor<10xf32>
// CHECK: nacre.concat axis 0(%{{.*}}, %{{.*}} : tensor<10xf32>, tensor<10xf32>) extents<() -> (20)> : tensor<20xf32>
func.func @f(%n: index {nacre.dimension = "n"}, %w: tensor<10x784xf32>, %x: tensor<?x784xf32>)
    -> (tensor<?x2x5xf32>, tensor<20xf32>) {
  %y = nacre.equation sum extents<()[n] -> (n, 10, 784)> [%n]
      reads (%x : tensor<?x784xf32> at (i, o, k)[n] -> (i, k), %w : tensor<10x784xf32> at (i, o, k)[n] -> (o, k)) {
  ^bb0(%a: f32, %b: f32):
    %p = nacre.mul %a, %b : f32
    nacre.yield %p : f32
  } : tensor<?x10xf32>
  %z = nacre.reshape %y extents<()[n] -> (n, 2, 5)> [%n] : tensor<?x10xf32> to tensor<?x2x5xf32>
  %c = nacre.constant dense<1.0> : tensor<10xf32>
  %j = nacre.concat axis 0 (%c, %c : tensor<10xf32>, tensor<10xf32>) extents<() -> (20)> : tensor<20xf32>
  return %z, %j : tensor<?x2x5xf32>, tensor<20xf32>
}
