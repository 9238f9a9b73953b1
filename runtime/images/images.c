/* Dense tensors as Halide's buffers, and the choice of the vector unit. */
#include "images.h"
#include <HalideRuntime.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* Does the processor have these bits of leaf 7, AVX, and does the system keep its registers (XCR0)? */
static int has(unsigned leaf7, uint64_t saved) {
  unsigned a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27) || !(c & 1u << 28))
    return 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((((uint64_t)high << 32 | low) & saved) != saved)
    return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & leaf7) == leaf7;
}

static int has_avx2(void) { return has(1u << 5, 0x6); }
/* Halide's avx512_skylake: F, CD, VL, BW, DQ, and AVX2 below them. */
static int has_avx512(void) { return has(1u << 5 | 1u << 16 | 1u << 28 | 1u << 31 | 1u << 30 | 1u << 17, 0xe6); }
static int has_sse4(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 19);
}
static int has_base(void) { return 1; }
#define VARIANTS(V) V(avx512) V(avx2) V(sse4) V(base)
#else
static int has_base(void) { return 1; }
#define VARIANTS(V) V(base)
#endif

typedef int warp_kernel(struct halide_buffer_t *in, struct halide_buffer_t *matrix, float fill,
                        struct halide_buffer_t *out);
#define DECLARE(name) warp_kernel nacre_warp_##name;
VARIANTS(DECLARE)
#define ROW(name) {has_##name, nacre_warp_##name},
static const struct {
  int (*usable)(void);
  warp_kernel *warp;
} variants[] = {VARIANTS(ROW)}; /* the widest first; the last runs everywhere */
enum { VARIANT_COUNT = sizeof variants / sizeof *variants };

int nacre_image_variants(void) { return VARIANT_COUNT; }

/* [h, w, c] as dimensions channel, column, row. */
static void picture(struct halide_buffer_t *buffer, halide_dimension_t dims[3], const int64_t *extents, void *data) {
  int32_t h = (int32_t)extents[0], w = (int32_t)extents[1], c = (int32_t)extents[2];
  dims[0] = (halide_dimension_t){0, c, 1, 0};
  dims[1] = (halide_dimension_t){0, w, c, 0};
  dims[2] = (halide_dimension_t){0, h, w * c, 0};
  *buffer = (struct halide_buffer_t){.host = data, .type = {halide_type_float, 32, 1}, .dimensions = 3, .dim = dims};
}

int nacre_image_warp_by(int variant, const void *const *inputs, const int64_t *const *extents, void *result) {
  struct halide_buffer_t in, matrix, out;
  halide_dimension_t in_dims[3], out_dims[3], matrix_dim[1] = {{0, 6, 1, 0}};
  if (!variants[variant].usable())
    return 0;
  picture(&in, in_dims, extents[0], (void *)(uintptr_t)inputs[0]);
  picture(&out, out_dims, extents[3], result);
  matrix = (struct halide_buffer_t){
      .host = (uint8_t *)(uintptr_t)inputs[1], .type = {halide_type_float, 32, 1}, .dimensions = 1, .dim = matrix_dim};
  variants[variant].warp(&in, &matrix, *(const float *)inputs[2], &out);
  return 1;
}

void nacre_image_warp(const void *const *inputs, const int64_t *const *extents, void *result) {
  static atomic_int chosen = -1; /* whoever asks first finds the same answer */
  int variant = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (variant < 0) {
    for (variant = 0; !variants[variant].usable();)
      ++variant;
    atomic_store_explicit(&chosen, variant, memory_order_relaxed);
  }
  nacre_image_warp_by(variant, inputs, extents, result);
}
