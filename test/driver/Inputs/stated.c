/* A C function with a stated derivative, and a program that compares it with differences. */
#include "stated.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void energy_of_rows(const void *const *inputs, const int64_t *const *extents, void *result);
void energy_of_rows(const void *const *inputs, const int64_t *const *extents, void *result) {
  const float *x = inputs[0];
  for (int64_t i = 0; i < extents[0][0]; ++i) {
    float sum = 0;
    for (int64_t j = 0; j < extents[0][1]; ++j)
      sum += x[i * extents[0][1] + j] * x[i * extents[0][1] + j];
    ((float *)result)[i] = *(const float *)inputs[1] * sum;
  }
}

static float total(const float *x, float scale) {
  static char workspace[1 << 16];
  float value = 0;
  if ((int64_t)sizeof workspace < stated_total_workspace(2, 3) || stated_total(2, 3, x, scale, &value, workspace) != 0)
    abort();
  return value;
}

/* The stated derivative against central differences, in f32: the share of the largest by which one of them is off. */
static double slope_error(void) {
  static char workspace[1 << 16];
  float x[] = {0.3f, -0.7f, 1.1f, 0.9f, -0.2f, 0.5f}, scale = 0.8f, dx[6], dscale;
  if ((int64_t)sizeof workspace < stated_slope_workspace(2, 3) ||
      stated_slope(2, 3, x, scale, dx, &dscale, workspace) != 0)
    abort();
  const float step = 1e-2f;
  double worst = 0, largest = fabs(dscale);
  for (int i = 0; i < 6; ++i) {
    float at = x[i];
    x[i] = at + step;
    double high = total(x, scale);
    x[i] = at - step;
    worst = fmax(worst, fabs((high - total(x, scale)) / (2 * step) - dx[i]));
    largest = fmax(largest, fabs(dx[i]));
    x[i] = at;
  }
  worst = fmax(worst, fabs(((double)total(x, scale + step) - total(x, scale - step)) / (2 * step) - dscale));
  return worst / largest;
}

int main(void) {
  double error = slope_error();
  printf("off by %g\n", error);
  return error < 1e-3 ? 0 : 1;
}
