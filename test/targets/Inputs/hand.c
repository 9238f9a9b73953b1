/* Uses the products of descriptor_test from C, and, compiled as such, from C++. */
#include "hand.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void writeWeights(const char *path) {
  const char header[] = "{\"bias\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}";
  unsigned char length[8] = {sizeof header - 1};
  float bias = 3;
  FILE *stream = fopen(path, "wb");
  fwrite(length, 1, 8, stream);
  fwrite(header, 1, sizeof header - 1, stream);
  fwrite(&bias, 1, 4, stream);
  fclose(stream);
}

int main(void) {
  const float x[] = {1, 2, 3, 4, 5, 6};
  const uint8_t t[] = {0, 1};
  float y[6];
  writeWeights("hand.safetensors");
  hand_net *net = hand_load("hand.safetensors");
  void *work = malloc(hand_scale_workspace(2, 2));
  if (!net || hand_scale(net, 2, 2, x, 2.0f, t, y, work) != 0) {
    printf("%s\n", nacre_last_error());
    return 1;
  }
  for (int i = 0; i < 6; ++i)
    printf("%g ", y[i]);
  int status = hand_scale(net, 9, 2, x, 2.0f, t, y, work);
  printf("\n%s: %s\n", nacre_error_text(status), nacre_last_error());
  if (!hand_load("absent.safetensors"))
    printf("%s\n", nacre_last_error());
  nacre_set_threads(1);
  free(work);
  hand_free(net);
  return 0;
}
