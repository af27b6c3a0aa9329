// Integer arithmetic of docs/numerics.md: saturation, rounding shifts, bit lengths, square roots.
#pragma once

#include <cstdint>

#include "stb/pipeline.hpp"

// Loops are labelled for the reports of v++; g++ sees labels that nothing jumps to.
#pragma GCC diagnostic ignored "-Wunused-label"

namespace stb {

constexpr int64_t kMax = 2147483647;  // The largest element of a vector; the smallest is -kMax.

constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }

constexpr int min_of(int a, int b) { return a < b ? a : b; }

constexpr int64_t clamp(int64_t x, int64_t limit) { return x > limit ? limit : (x < -limit ? -limit : x); }

// `sat` of the document: an element of a vector.
constexpr int32_t sat(int64_t x) { return static_cast<int32_t>(clamp(x, kMax)); }

// `rsr` for 1 <= shift <= 62: halves go up. Loops over it vectorise.
constexpr int64_t round_shift(int64_t x, int shift) { return (x + (int64_t(1) << (shift - 1))) >> shift; }

// The same for |x| < 2^61 by a logical shift, which AVX2 has for shifts that differ from lane to lane.
constexpr int64_t round_shift_biased(int64_t x, int shift) {
  return static_cast<int64_t>(
             (static_cast<uint64_t>(x) + (uint64_t(1) << 62) + (uint64_t(1) << (shift - 1))) >> shift) -
         (int64_t(1) << (62 - shift));
}

// `rsr` for every shift.
constexpr int64_t rsr(int64_t x, int shift) {
  return shift > 0    ? round_shift(x, min_of(shift, 62))
         : shift == 0 ? x
                      : clamp(x, kMax) * (int64_t(1) << min_of(-shift, 31));
}

// x, which fits BITS bits with its sign: so wide is the factor that synthesis makes of it.
template <int BITS>
constexpr int32_t narrow(int32_t x) {
  return static_cast<int32_t>(static_cast<uint32_t>(x) << (32 - BITS)) >> (32 - BITS);
}

constexpr uint32_t magnitude(int32_t x) {
  return x < 0 ? uint32_t(0) - static_cast<uint32_t>(x) : static_cast<uint32_t>(x);
}

// The largest of N values, N a power of two: a tree of maxima.
template <int N, typename T>
struct Tree {
  static T largest(const T (&x)[N]) {
    T half[N / 2];
  largest_pairs:
    for (int i = 0; i < N / 2; ++i) {
      STB_UNROLL
      half[i] = x[i] < x[i + N / 2] ? x[i + N / 2] : x[i];
    }
    return Tree<N / 2, T>::largest(half);
  }
};

template <typename T>
struct Tree<1, T> {
  static T largest(const T (&x)[1]) { return x[0]; }
};

template <int N, typename T>
inline T largest_of(const T (&x)[N]) {
  return Tree<N, T>::largest(x);
}

// The number of bits of x: 0 for 0.
inline int bitlen(uint64_t x) {
  int bits = 0;
bitlen_halves:
  for (int i = 5; i >= 0; --i) {
    const int half = 1 << i;
    const bool high = (x >> half) != 0;
    bits += high ? half : 0;
    x = high ? x >> half : x;
  }
  return bits + static_cast<int>(x);
}

// x / DIVISOR for x * DIVISOR < 2^24, by a factor that is at most DIVISOR / 2^24 too large.
template <int DIVISOR>
inline int quotient_by(int x) {
  static_assert(DIVISOR > 0 && DIVISOR <= 4096, "the quotient is exact for divisors up to 4,096");
  const int64_t factor = ((int64_t(1) << 24) + DIVISOR - 1) / DIVISOR;
  return static_cast<int>((x * factor) >> 24);
}

template <int DIVISOR>
inline int rest_by(int x) {
  return x - quotient_by<DIVISOR>(x) * DIVISOR;
}

}  // namespace stb
