/* The entry without a model, through the typed functions. */
#include "line.h"
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  float x[3] = {1, 2, 3}, y[3] = {0, 0, 0};
  void *work = malloc(line_line_workspace(3) + 1);
  int status = line_line(3, x, y, work);
  if (status)
    printf("%s\n", nacre_last_error());
  else
    printf("%d: %g %g %g\n", status, y[0], y[1], y[2]);
  free(work);
  return 0;
}
