/* A module as the compiler would emit it, written by hand: model `net` (fc.weight f32[3, 4], fc.bias f32[3], a state
   `steps` i64 covered by `init`), entries `predict`, `lookup` and `picture`. */
#ifndef FAKE_MODULE_H
#define FAKE_MODULE_H
#include "module.h"
extern const nacre_model_info fake_net, fake_tied;
extern const nacre_entry_info fake_predict, fake_lookup, fake_picture;
#endif
