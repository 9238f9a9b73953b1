/* The C function that foreign.nacre calls. */
#include <stdint.h>
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
