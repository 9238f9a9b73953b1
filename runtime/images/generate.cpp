// Writes the image kernels for one kind of vector unit as an object file: generate TARGET SUFFIX OUTPUT.
//
// A program of its own: Halide brings an LLVM that must never meet the compiler's. The kernels are built strict (no
// reassociation, no contraction), so that every width computes the same bits.
#include <Halide.h>
#include <cstdio>

using namespace Halide;

/// out(x, y) = in(m0 x + m1 y + m2, m3 x + m4 y + m5), bilinear between pixel centres; `fill` outside.
/// Dimension 0 is the channel, 1 the column, 2 the row.
static Func warp(ImageParam in, ImageParam matrix, Param<float> fill) {
  Var c("c"), x("x"), y("y");
  Expr columns = in.dim(1).extent(), rows = in.dim(2).extent();
  Func inside = BoundaryConditions::constant_exterior(in, fill, {{Expr(), Expr()}, {0, columns}, {0, rows}});
  Expr fx = cast<float>(x), fy = cast<float>(y);
  Expr sx = matrix(0) * fx + matrix(1) * fy + matrix(2), sy = matrix(3) * fx + matrix(4) * fy + matrix(5);
  // Everything beyond one pixel outside is `fill` alone, and far numbers (NaN too) must not become subscripts.
  sx = select(sx >= -2.0f, min(sx, cast<float>(columns) + 1.0f), -2.0f);
  sy = select(sy >= -2.0f, min(sy, cast<float>(rows) + 1.0f), -2.0f);
  Expr x0 = clamp(cast<int>(floor(sx)), -2, columns + 1), y0 = clamp(cast<int>(floor(sy)), -2, rows + 1);
  Expr u = sx - cast<float>(x0), v = sy - cast<float>(y0);
  Expr above = inside(c, x0, y0) * (1.0f - u) + inside(c, x0 + 1, y0) * u;
  Expr below = inside(c, x0, y0 + 1) * (1.0f - u) + inside(c, x0 + 1, y0 + 1) * u;
  Func out("warp");
  out(c, x, y) = above * (1.0f - v) + below * v;
  return out;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: generate TARGET SUFFIX OUTPUT.o\n");
    return 2;
  }
  Target target(std::string(argv[1]) + "-strict_float-no_runtime-no_asserts-no_bounds_query");
  ImageParam in(Float(32), 3, "in"), matrix(Float(32), 1, "matrix");
  Param<float> fill("fill");
  Func out = warp(in, matrix, fill);
  Var c = out.args()[0], x = out.args()[1];
  in.dim(0).set_min(0).set_stride(1);
  in.dim(1).set_min(0);
  in.dim(2).set_min(0);
  matrix.dim(0).set_bounds(0, 6).set_stride(1);
  out.output_buffer().dim(0).set_min(0).set_stride(1);
  out.output_buffer().dim(1).set_min(0);
  out.output_buffer().dim(2).set_min(0);
  int width = target.natural_vector_size<float>();
  out.vectorize(x, width, TailStrategy::GuardWithIf).reorder(x, c);
  // Grey pictures are dense in x: plain stores instead of strided ones.
  out.specialize(out.output_buffer().dim(0).extent() == 1 && out.output_buffer().dim(1).stride() == 1 &&
                 in.dim(1).stride() == 1);
  out.compile_to_object(argv[3], {in, matrix, fill}, std::string("nacre_warp_") + argv[2], target);
  return 0;
}
