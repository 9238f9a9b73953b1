/* A few steps of both train blocks of rows.nacre, for the sanitizer that watches the generated code. */
#include "rows.h"
#include <math.h>
#include <stdio.h>

#define STEPS(BLOCK)                                                                                                   \
  do {                                                                                                                 \
    double loss = NAN;                                                                                                 \
    rows_##BLOCK *block = rows_##BLOCK##_create(&options);                                                             \
    for (int step = 0; step < 5; ++step)                                                                               \
      if (!block || rows_##BLOCK##_step(block, &loss))                                                                 \
        return fprintf(stderr, "%s\n", nacre_last_error()), 1;                                                         \
    if (rows_##BLOCK##_evaluate(block, &loss))                                                                         \
      return fprintf(stderr, "%s\n", nacre_last_error()), 1;                                                           \
    rows_##BLOCK##_destroy(block);                                                                                     \
    printf(#BLOCK ": %s\n", loss < 3 ? "learns" : "does not learn");                                                   \
  } while (0)

int main(int count, char **words) {
  nacre_trainer_options options = {.data = count > 1 ? words[1] : "."};
  STEPS(kept);
  STEPS(recomputed);
  return 0;
}
