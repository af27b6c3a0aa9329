// Exact quotients and square roots in steps: a bit a cycle, N of them one behind the other.
#pragma once

#include "stb/math.hpp"

namespace stb {

constexpr int kBits = 62;         // of a dividend
constexpr int kRootBits = 31;     // of a root
constexpr int kInverseBits = 25;  // of an inverse

// How often N divides by two.
constexpr int twos_in(int n) { return n % 2 == 0 ? 1 + twos_in(n / 2) : 0; }

// A division by a constant: by its twos it is a shift, then come digits by its odd part; of a small one a digit
// has several bits.
template <int DIVISOR>
struct OddPart {
  enum : int {
    kTwos = twos_in(DIVISOR),
    kOdd = DIVISOR >> kTwos,
    kDigit = kOdd < 16 ? 3 : 1,
    kDigits = ceil_div(kBits - kTwos, kDigit)
  };
};

// One more digit of a quotient by `odd`, bit by bit.
template <int DIGIT>
inline uint64_t next_digit(uint64_t bits, uint32_t odd, uint32_t& rest) {
  uint64_t digit = 0;
digit_bits:
  for (int bit = DIGIT - 1; bit >= 0; --bit) {
    STB_UNROLL
    const uint32_t next = (rest << 1) | static_cast<uint32_t>((bits >> bit) & 1);
    const bool fits = next >= odd;
    rest = fits ? next - odd : next;
    digit = (digit << 1) | (fits ? 1 : 0);
  }
  return digit;
}

// values[i] = values[i] / DIVISOR's odd part, for values below 2^62 less its twos, and divisors below 2^17.
template <int DIVISOR, int N>
inline void divide_each(uint64_t (&values)[N]) {
  using Of = OddPart<DIVISOR>;
  uint32_t rest = 0;
  uint64_t left = 0;
  uint64_t quotient = 0;
  STB_ENTER(kStepDepth)
divide_values:
  for (int i = 0; i < N; ++i) {
  divide_digits:
    for (int digit = Of::kDigits - 1; digit >= 0; --digit) {
      STB_PIPELINE(1)
      STB_TICK(1)
      const bool first = digit == Of::kDigits - 1;
      const uint64_t bits = first ? values[i] : left;
      rest = first ? 0 : rest;
      const uint64_t found = next_digit<Of::kDigit>(bits >> (Of::kDigit * (Of::kDigits - 1)), Of::kOdd, rest);
      quotient = ((first ? 0 : quotient) << Of::kDigit) | found;
      left = bits << Of::kDigit;
      if (digit == 0) values[i] = quotient;
    }
  }
}

// inverses[i] = floor(2^54 / roots[i]) for roots from 2^30 to 2^31 - 1.
template <int N>
inline void invert_each(const uint64_t (&roots)[N], int32_t (&inverses)[N]) {
  uint64_t rest = 0;
  int32_t inverse = 0;
  STB_ENTER(kStepDepth)
invert_values:
  for (int i = 0; i < N; ++i) {
  inverse_bits:
    for (int bit = kInverseBits - 1; bit >= 0; --bit) {
      STB_PIPELINE(1)
      STB_TICK(1)
      const bool first = bit == kInverseBits - 1;
      const uint64_t next = (first ? uint64_t(1) << (54 - kInverseBits) : rest) << 1;
      const bool fits = next >= roots[i];
      rest = fits ? next - roots[i] : next;
      inverse = ((first ? 0 : inverse) << 1) | (fits ? 1 : 0);
      inverses[i] = inverse;
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
