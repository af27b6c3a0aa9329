// One over the sum of a softmax: an exact quotient by 18 subtractions.
#pragma once

#include "stb/math.hpp"

namespace stb {

// One over a total of weights: a weighted sum times `factor`, shifted right by `shift`, has 16 fraction bits.
struct Reciprocal {
  int64_t factor;
  int shift;
};

// 2^48 / divisor, for a divisor of 32 bits whose highest is 1: 18 steps that follow each other.
inline uint32_t inverse_of(uint32_t divisor) {
  uint64_t rest = uint64_t(1) << 31;
  uint32_t quotient = 0;
inverse_bits:
  for (int bit = 17; bit >= 0; --bit) {
    STB_UNROLL
    const uint64_t less = rest - divisor;
    const uint32_t fits = 1 - static_cast<uint32_t>(less >> 63);
    quotient = (quotient << 1) | fits;
    rest = (fits != 0 ? less : rest) << 1;
  }
  return quotient;
}

inline Reciprocal reciprocal(int64_t total, int exponent) {
  const int bits = bitlen(static_cast<uint64_t>(total));
  const uint32_t divisor = static_cast<uint32_t>(total << (32 - bits));
  return Reciprocal{static_cast<int64_t>(inverse_of(divisor)), 23 + bits - exponent};
}

}  // namespace stb
