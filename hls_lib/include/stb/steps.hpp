// Exact quotients and square roots in steps: a bit a cycle, N of them one behind the other.
#pragma once

#include "stb/math.hpp"

namespace stb {

constexpr int kBits = 62;      // of a dividend
constexpr int kRootBits = 31;  // of a root

// quotients[i] = dividends[i] / divisors[i] for dividends below 2^62 and divisors below 2^32.
template <int N>
inline void divide_each(const uint64_t (&dividends)[N], const uint64_t (&divisors)[N],
                        uint64_t (&quotients)[N]) {
  uint64_t rest = 0;
  uint64_t quotient = 0;
  STB_ENTER(kStepDepth)
divide_values:
  for (int i = 0; i < N; ++i) {
  divide_bits:
    for (int bit = kBits - 1; bit >= 0; --bit) {
      STB_PIPELINE(1)
      STB_TICK(1)
      const uint64_t before = bit == kBits - 1 ? 0 : rest;
      const uint64_t next = (before << 1) | ((dividends[i] >> bit) & 1);
      const bool fits = next >= divisors[i];
      rest = fits ? next - divisors[i] : next;
      quotient = (quotient << 1) | (fits ? 1 : 0);
      quotients[i] = quotient & ((uint64_t(1) << kBits) - 1);
    }
  }
}

// roots[i] = floor(sqrt(x[i])) for x below 2^62.
template <int N>
inline void root_each(const uint64_t (&x)[N], uint64_t (&roots)[N]) {
  uint64_t rest = 0;
  uint64_t root = 0;
  STB_ENTER(kStepDepth)
root_values:
  for (int i = 0; i < N; ++i) {
  root_bits:
    for (int bit = kRootBits - 1; bit >= 0; --bit) {
      STB_PIPELINE(1)
      STB_TICK(1)
      const uint64_t before = bit == kRootBits - 1 ? x[i] : rest;
      const uint64_t found = bit == kRootBits - 1 ? 0 : root;
      const uint64_t trial = found + (uint64_t(1) << (2 * bit));
      const bool fits = before >= trial;
      rest = fits ? before - trial : before;
      root = fits ? (found >> 1) + (uint64_t(1) << (2 * bit)) : found >> 1;
      roots[i] = root;
    }
  }
}

}  // namespace stb
