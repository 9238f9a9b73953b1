/* A program that calls a model, which calls a C function (rows.c). */
#include "foreign.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static float total(const float *x, float scale) {
  static char workspace[1 << 16];
  float value = 0;
  if ((int64_t)sizeof workspace < foreign_total_workspace(2, 3) ||
      foreign_total(2, 3, x, scale, &value, workspace) != 0)
    abort();
  return value;
}

/* The stated derivative against central differences, in f32: the share of the largest by which one of them is off. */
static double slope_error(void) {
  static char workspace[1 << 16];
  float x[] = {0.3f, -0.7f, 1.1f, 0.9f, -0.2f, 0.5f}, scale = 0.8f, dx[6], dscale;
  if ((int64_t)sizeof workspace < foreign_slope_workspace(2, 3) ||
      foreign_slope(2, 3, x, scale, dx, &dscale, workspace) != 0)
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
  const float x[] = {1, 2, 3, 4, 5, 6};
  float left[2], all[2];
  void *workspace = malloc(foreign_both_workspace(2, 3));
  int status = foreign_both(2, 3, x, 10, left, all, workspace);
  free(workspace);
  printf("%d: %g %g, %g %g\n", status, left[0], left[1], all[0], all[1]);
  double error = slope_error();
  if (error > 1e-3)
    printf("the derivative is off by %g\n", error);
  else
    printf("its derivative agrees with differences\n");
  return status;
}
