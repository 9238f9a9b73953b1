/* The warp of pictures: every variant of the machine against the formula in double precision, and against each other
   bit for bit; sizes that fit no vector; matrices that lead far outside, and numbers that are none. */
#include "../../runtime/images/images.h"
#include "check.h"
#include <math.h>

enum { SIDE = 21, CHANNELS = 4, CASES = 300 };

typedef struct warp_case {
  float image[SIDE * SIDE * CHANNELS], matrix[6], fill;
  int64_t from[3], to[3];
} warp_case;

static float unit(uint64_t *state) { return (float)(random_bits(state) >> 40) * 0x1p-24f; }

static void make_case(warp_case *c, int number, uint64_t *state) {
  for (int i = 0; i < SIDE * SIDE * CHANNELS; ++i)
    c->image[i] = unit(state);
  for (int i = 0; i < 6; ++i)
    c->matrix[i] = (unit(state) - 0.5f) * (i % 3 == 2 ? 20 : 3);
  for (int axis = 0; axis < 3; ++axis) {
    c->from[axis] = 1 + (int64_t)(random_bits(state) % (axis < 2 ? SIDE : CHANNELS));
    c->to[axis] = axis < 2 ? 1 + (int64_t)(random_bits(state) % SIDE) : c->from[2];
  }
  c->fill = number % 2 ? 0.25f : 0;
  static const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 2147483648.0f};
  if (number < 36) /* one odd number at each place of the matrix */
    c->matrix[number % 6] = odd[number / 6];
  if (number == 36) { /* the identity changes nothing */
    memcpy(c->matrix, (const float[]){1, 0, 0, 0, 1, 0}, sizeof c->matrix);
    memcpy(c->to, c->from, sizeof c->to);
  }
}

static double pixel(const warp_case *c, int64_t y, int64_t x, int64_t k) {
  if (y < 0 || x < 0 || y >= c->from[0] || x >= c->from[1])
    return (double)c->fill;
  return (double)c->image[(y * c->from[1] + x) * c->from[2] + k];
}

/* Largest deviation from the formula. The point itself is computed in single precision by the kernel: at most about
   2e-6 off, and the picture changes by at most 1 per pixel. */
static double deviation(const warp_case *c, const float *got) {
  double worst = 0;
  for (int64_t y = 0; y < c->to[0]; ++y)
    for (int64_t x = 0; x < c->to[1]; ++x) {
      double sx = (double)(float)((float)(c->matrix[0] * (float)x + c->matrix[1] * (float)y) + c->matrix[2]);
      double sy = (double)(float)((float)(c->matrix[3] * (float)x + c->matrix[4] * (float)y) + c->matrix[5]);
      bool near = fabs(sx) < 1e6 && fabs(sy) < 1e6;
      double u = sx - floor(sx), v = sy - floor(sy);
      int64_t x0 = near ? (int64_t)floor(sx) : -9, y0 = near ? (int64_t)floor(sy) : -9;
      for (int64_t k = 0; k < c->from[2]; ++k) {
        double top = (1 - u) * pixel(c, y0, x0, k) + u * pixel(c, y0, x0 + 1, k);
        double bottom = (1 - u) * pixel(c, y0 + 1, x0, k) + u * pixel(c, y0 + 1, x0 + 1, k);
        double wanted = near ? (1 - v) * top + v * bottom : (double)c->fill;
        double off = fabs(wanted - (double)*got++);
        worst = off > worst || off != off ? off : worst;
      }
    }
  return worst;
}

int main(void) {
  static warp_case c;
  static float results[8][SIDE * SIDE * CHANNELS];
  uint64_t state = 5;
  int run = 0;
  for (int number = 0; number < CASES; ++number) {
    make_case(&c, number, &state);
    const void *inputs[] = {c.image, c.matrix, &c.fill};
    const int64_t six[] = {6};
    const int64_t *extents[] = {c.from, six, NULL, c.to};
    size_t bytes = (size_t)(c.to[0] * c.to[1] * c.to[2]) * sizeof(float);
    nacre_image_warp(inputs, extents, results[7]);
    EXPECT(deviation(&c, results[7]) < 2e-5);
    if (number == 36)
      EXPECT(memcmp(results[7], c.image, bytes) == 0);
    for (int variant = 0; variant < nacre_image_variants(); ++variant)
      if (nacre_image_warp_by(variant, inputs, extents, results[variant])) {
        run += number == 0;
        EXPECT(memcmp(results[variant], results[7], bytes) == 0);
      }
  }
  printf("%d variants ran\n", run);
  EXPECT(run >= 1);
  return finish();
}
