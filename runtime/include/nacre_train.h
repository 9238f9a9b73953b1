/* Trainers: what a `train` block becomes. The generated header of a module types these functions for each of its
 * blocks: for `train fit` of digits.nacre
 *
 *     digits_fit *fit = digits_fit_create(NULL);              // as the source says
 *     double loss;
 *     for (int epoch = 0; epoch < 10; ++epoch)
 *       if (digits_fit_epoch(fit, &loss) != 0) return fail(nacre_last_error());
 *     digits_fit_save(fit, "digits.safetensors");             // what digits_net_load opens
 *     digits_fit_destroy(fit);
 *
 * Any number of trainers may exist at once, in any threads; one trainer serves one thread at a time. Results are the
 * same bits for any number of threads (nacre_set_threads), and after resuming. Nothing here ends the process or prints.
 */
#ifndef NACRE_TRAIN_H
#define NACRE_TRAIN_H
#include "nacre.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a trainer may be told; zero and NULL mean: as the source says. */
#ifndef NACRE_TRAINER_OPTIONS
#define NACRE_TRAINER_OPTIONS
typedef struct nacre_trainer_options {
  uint64_t seed; /* of everything that is drawn, if `seeded` */
  int seeded;
  int64_t epochs, steps; /* how long the run is */
  const char *data;      /* the folder that paths of data start from */
  const char *weights;   /* safetensors to start from; lines of MODEL=FILE where there are several models */
  const char *resume;    /* a checkpoint to go on from */
} nacre_trainer_options;
#endif

typedef struct nacre_trainer nacre_trainer;

/* All but create and value return 0, or a nacre_status whose text is nacre_last_error(). */
struct nacre_module_info;
struct nacre_train_info;
NACRE_API nacre_trainer *nacre_trainer_create(const struct nacre_module_info *module,
                                              const struct nacre_train_info *train,
                                              const nacre_trainer_options *options);
NACRE_API int nacre_trainer_step(nacre_trainer *trainer, double *loss);
NACRE_API int nacre_trainer_epoch(nacre_trainer *trainer, double *loss);
NACRE_API int nacre_trainer_evaluate(nacre_trainer *trainer, double *loss);
NACRE_API double nacre_trainer_value(nacre_trainer *trainer, const char *name);
NACRE_API int nacre_trainer_save(nacre_trainer *trainer, const char *path);
NACRE_API int nacre_trainer_checkpoint(nacre_trainer *trainer, const char *path);
NACRE_API void nacre_trainer_destroy(nacre_trainer *trainer);

#ifdef __cplusplus
}
#endif
#endif
