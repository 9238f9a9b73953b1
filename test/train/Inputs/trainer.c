/* Trains through the generated header: half of it, a checkpoint, the other half by a second trainer. */
#include "embed.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static int failed(void) {
  fprintf(stderr, "%s\n", nacre_last_error());
  return 1;
}

int main(int count, char **words) {
  nacre_trainer_options options = {.data = count > 1 ? words[1] : "."};
  double loss, again;
  digits_fit *fit = digits_fit_create(&options);
  if (!fit || digits_fit_epoch(fit, &loss) || digits_fit_epoch(fit, &loss) || digits_fit_step(fit, &loss) ||
      digits_fit_checkpoint(fit, "half.train"))
    return failed();
  digits_fit_destroy(fit);
  options.resume = "half.train";
  fit = digits_fit_create(&options);
  if (!fit || digits_fit_epoch(fit, &loss) || digits_fit_epoch(fit, &loss) || digits_fit_save(fit, "c.safetensors"))
    return failed();
  printf("epoch 4: loss %.4f, accuracy %.4f\n", loss, digits_fit_value(fit, "accuracy"));
  double measured = digits_fit_value(fit, "validate.loss");
  if (digits_fit_evaluate(fit, &again))
    return failed();
  puts(measured == again && isnan(digits_fit_value(fit, "nothing")) ? "the same" : "different");
  digits_fit_destroy(fit);
  digits_net *net = digits_net_load("c.safetensors");
  if (!net)
    return failed();
  digits_net_free(net);
  return 0;
}
