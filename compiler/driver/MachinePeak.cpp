// A loop of independent multiply-adds in the widest registers there are, and a loop that reads more than caches hold.
#include "driver/MachinePeak.h"
#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace nacre {
namespace {

constexpr int chains = 12; // latency 4 times 2 a cycle is 8 at least

/// Multiply-adds of `rounds` rounds; the sum keeps them alive.
#if defined(__x86_64__)
__attribute__((target("avx512f"))) float wide(long rounds) {
  __m512 factor = _mm512_set1_ps(0.999f), add = _mm512_set1_ps(0.001f), sums[chains];
  for (__m512 &sum : sums)
    sum = add;
  for (long round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i)
      sums[i] = _mm512_fmadd_ps(sums[i], factor, add);
  for (int i = 1; i < chains; ++i)
    sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return sums[0][0];
}
__attribute__((target("avx2,fma"))) float middle(long rounds) {
  __m256 factor = _mm256_set1_ps(0.999f), add = _mm256_set1_ps(0.001f), sums[chains];
  for (__m256 &sum : sums)
    sum = add;
  for (long round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i)
      sums[i] = _mm256_fmadd_ps(sums[i], factor, add);
  for (int i = 1; i < chains; ++i)
    sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return _mm256_cvtss_f32(sums[0]);
}
#endif
float narrow(long rounds) {
  float sums[chains];
  std::fill(sums, sums + chains, 0.001f);
  for (long round = 0; round < rounds; ++round)
    for (float &sum : sums)
      sum = sum * 0.999f + 0.001f;
  return sums[0] + sums[chains - 1];
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The best of a few runs of `body` on all threads at once.
double best(unsigned threads, int runs, const std::function<void(unsigned)> &body) {
  double least = 1e9;
  for (int run = 0; run < runs; ++run) {
    double begin = seconds();
    std::vector<std::thread> helpers;
    for (unsigned i = 1; i < threads; ++i)
      helpers.emplace_back(body, i);
    body(0);
    for (std::thread &helper : helpers)
      helper.join();
    least = std::min(least, seconds() - begin);
  }
  return least;
}

volatile float sink;

} // namespace

MachinePeak measurePeak(unsigned threads) {
  float (*multiply)(long) = narrow;
  int lanes = 1;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    multiply = wide, lanes = 16;
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    multiply = middle, lanes = 8;
#endif
  MachinePeak peak;
  long rounds = 1000000;
  double took = best(threads, 8, [&](unsigned) { sink = multiply(rounds); });
  peak.flops = 2.0 * lanes * chains * static_cast<double>(rounds) * threads / took;

  size_t words = (size_t(96) << 20) / sizeof(unsigned long) / threads; // 96 MB in all
  std::vector<std::vector<unsigned long>> buffers(threads);
  best(threads, 1, [&](unsigned i) { buffers[i].assign(words, i); });
  took = best(threads, 5, [&](unsigned i) {
    unsigned long sums[8] = {};
    for (size_t word = 0; word + 8 <= words; word += 8)
#pragma GCC unroll 8
      for (int k = 0; k < 8; ++k)
        sums[k] += buffers[i][word + k];
    unsigned long all = 0;
    for (unsigned long sum : sums)
      all ^= sum;
    sink = static_cast<float>(all);
  });
  peak.bytes = static_cast<double>(words * sizeof(unsigned long)) * threads / took;
  return peak;
}

} // namespace nacre
