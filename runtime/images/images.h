/* Image kernels that the standard library calls (`extern fn`): vector code for several widths, the widest that the
   machine has is taken at the first call, and all of them compute the same bits. Arguments as generated code passes
   them: dense row-major inputs, their extents and then those of the result. */
#ifndef NACRE_IMAGES_H
#define NACRE_IMAGES_H
#include <stdint.h>

/* result[y, x, c] = image[m3 x + m4 y + m5, m0 x + m1 y + m2, c], bilinear between pixel centres and `fill` outside.
   inputs: image f32[h, w, c], matrix f32[6] = m0 .. m5, fill f32[]; result f32[h', w', c]. */
void nacre_image_warp(const void *const *inputs, const int64_t *const *extents, void *result);

/* For tests: how many variants there are, and the warp of one of them; false if this machine cannot run it. */
int nacre_image_variants(void);
int nacre_image_warp_by(int variant, const void *const *inputs, const int64_t *const *extents, void *result);

#endif
