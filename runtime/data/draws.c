/* Numbers by counter: each is a hash of a seed and its place, so no state is carried from one to the next. */
#include "internal.h"

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits without visible structure. */
static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static const uint64_t golden = 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio, odd */

uint64_t nacre_seed(uint64_t run, uint64_t purpose, uint64_t a, uint64_t b) {
  uint64_t x = mix(run + golden);
  x = mix(x ^ (purpose * golden));
  x = mix(x + a * golden + 1);
  return mix(x + b * golden + 2);
}

uint64_t nacre_draw_bits(uint64_t seed, uint64_t n) { return mix(mix(seed) + (n + 1) * golden); }

uint64_t nacre_draw_below(uint64_t seed, uint64_t n, uint64_t bound) {
  return (uint64_t)(((unsigned __int128)nacre_draw_bits(seed, n) * bound) >> 64);
}

double nacre_draw_unit(uint64_t seed, uint64_t n) { return (double)(nacre_draw_bits(seed, n) >> 11) * 0x1p-53; }

void nacre_shuffle(int64_t *items, int64_t count, uint64_t seed) {
  for (int64_t i = count - 1; i > 0; --i) {
    int64_t j = (int64_t)nacre_draw_below(seed, (uint64_t)i, (uint64_t)i + 1), kept = items[i];
    items[i] = items[j];
    items[j] = kept;
  }
}
