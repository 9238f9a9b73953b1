/* A C function that a model calls, and a program that calls the model. */
#include "foreign.h"
#include <stdio.h>
#include <stdlib.h>

void sum_of_rows(const void *const *inputs, const int64_t *const *extents, void *result);
void sum_of_rows(const void *const *inputs, const int64_t *const *extents, void *result) {
  const float *x = inputs[0];
  if (extents[2][0] != extents[0][0])
    abort();
  for (int64_t i = 0; i < extents[0][0]; ++i) {
    float sum = 0;
    for (int64_t j = 0; j < extents[0][1]; ++j)
      sum += x[i * extents[0][1] + j];
    ((float *)result)[i] = *(const float *)inputs[1] * sum;
  }
}

int main(void) {
  const float x[] = {1, 2, 3, 4, 5, 6};
  float left[2], all[2];
  void *workspace = malloc(foreign_both_workspace(2, 3));
  int status = foreign_both(2, 3, x, 10, left, all, workspace);
  free(workspace);
  printf("%d: %g %g, %g %g\n", status, left[0], left[1], all[0], all[1]);
  return status;
}
