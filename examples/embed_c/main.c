/* Reads a digit that stands in this file. The weights are inside the program: there is nothing to load or to install.
 */
#include "mlp.h"
#include <stdio.h>
#include <stdlib.h>

/* 8 x 8 pixels, 0 (paper) to 16 (ink): a 7 of the data. */
static const float seven[64] = {
    0, 0, 0,  8,  14, 14, 2,  0, /**/
    0, 0, 0,  6,  10, 15, 11, 0, /**/
    0, 0, 0,  0,  0,  14, 10, 0, /**/
    0, 2, 8,  11, 12, 16, 8,  0, /**/
    0, 8, 16, 16, 16, 16, 7,  0, /**/
    0, 0, 0,  0,  11, 15, 1,  0, /**/
    0, 0, 0,  9,  16, 7,  0,  0, /**/
    0, 0, 0,  12, 13, 1,  0,  0, /**/
};

int main(void) {
  mlp_net *net = mlp_load(NULL); /* NULL: the embedded weights */
  void *work = malloc(mlp_predict_workspace(1));
  int32_t label = -1;
  float probability[10];
  if (!net || !work || mlp_predict(net, 1, seven, &label, probability, work) != 0) {
    fprintf(stderr, "embed_c: %s\n", nacre_last_error());
    return 1;
  }
  printf("this is a %d (%.1f %%)\n", (int)label, 100 * probability[label]);

  /* A call that cannot work says why, and does nothing. */
  int status = mlp_predict(net, 0, seven, &label, probability, work);
  printf("%s: %s\n", nacre_error_text(status), nacre_last_error());
  free(work);
  mlp_free(net);
  return 0;
}
