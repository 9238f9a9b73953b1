/* What bent.nacre calls: the identity, or with -DWRONG one that is off by a quarter in column 3 of every row, or with
   -DNAN_AT one that gives no number for one element. */
#include <math.h>
#include <stdint.h>

void bend(const void *const *inputs, const int64_t *const *extents, void *result);
void bend(const void *const *inputs, const int64_t *const *extents, void *result) {
  const float *x = inputs[0];
  int64_t rows = extents[0][0], columns = extents[0][1];
  for (int64_t i = 0; i < rows * columns; ++i) {
    float y = x[i];
#ifdef WRONG
    if (i % columns == 3)
      y += 0.25f;
#endif
#ifdef NAN_AT
    if (i == 2 * columns + 1)
      y = NAN;
#endif
    ((float *)result)[i] = y;
  }
}
