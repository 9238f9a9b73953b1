/* A program that calls a model, which calls a C function (rows.c). */
#include "foreign.h"
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  const float x[] = {1, 2, 3, 4, 5, 6};
  float left[2], all[2];
  void *workspace = malloc(foreign_both_workspace(2, 3));
  int status = foreign_both(2, 3, x, 10, left, all, workspace);
  free(workspace);
  printf("%d: %g %g, %g %g\n", status, left[0], left[1], all[0], all[1]);
  return status;
}
