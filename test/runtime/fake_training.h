/* Train blocks as generated code would describe them, written by hand. */
#ifndef FAKE_TRAINING_H
#define FAKE_TRAINING_H
#include "../../runtime/train/command.h"

enum { FIT, STOPPING, FOLDED, EXPLODING, LATER, GROUPS, WALK };
extern const nacre_train_info *const fake_trains[];

#endif
