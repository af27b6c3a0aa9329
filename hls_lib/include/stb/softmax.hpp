// Softmax in base 2 over the scores of one head, folded with the scales of the values.
#pragma once

#include "stb/lanes.hpp"
#include "stb/tables.hpp"

namespace stb {

// 2^-delta with 16 fraction bits in and out.
inline int32_t power_of_two(uint32_t delta) {
  const int shift = min_of(static_cast<int>(delta >> 16), 31);
  const int f = static_cast<int>(delta & 65535);
  const int32_t left = kPower[f >> 10];
  const int32_t right = kPower[(f >> 10) + 1];
  return (left - (((left - right) * (f & 1023)) >> 10)) >> shift;
}

// What the weighted sum of a head's values is divided by, and the exponent it is counted in.
struct Total {
  int64_t sum;
  int exponent;
};

// Turns the dot products of positions 0..length-1 into scores (base 2, 16 fraction bits); gives the top one.
// The keys' scales are m and e; a score is dot * m * factor >> shift - e.
inline int32_t score_positions(int32_t* score, const uint8_t* m, const uint8_t* e, int length, int64_t factor,
                               int shift) {
  int32_t top = -2147483647;
score_positions:
  for (int j = 0; j < length; ++j) {
    STB_PIPELINE(1)
    const int64_t product = static_cast<int64_t>(score[j]) * m[j] * factor;
    score[j] = sat(round_shift_biased(product, shift - e[j]));
    top = score[j] > top ? score[j] : top;
  }
  return top;
}

inline int largest_exponent(const uint8_t* e, int length) {
  int top = 0;
largest_exponents:
  for (int j = 0; j < length; ++j) {
    STB_PIPELINE(1)
    top = e[j] > top ? e[j] : top;
  }
  return top;
}

// Turns scores into the weights of the values, whose scales are m and e.
inline Total weigh_positions(int32_t* score, int32_t top, const uint8_t* m, const uint8_t* e, int length) {
  const int exponent = largest_exponent(e, length);
  int64_t sum = 0;
weigh_positions:
  for (int j = 0; j < length; ++j) {
    STB_PIPELINE(1)
    const int32_t p = power_of_two(static_cast<uint32_t>(top) - static_cast<uint32_t>(score[j]));
    sum += p;
    score[j] = (p * m[j]) >> min_of(exponent - e[j], 31);
  }
  return Total{sum, exponent};
}

// One over the total: a weighted sum times `factor`, shifted right by `shift`, has 16 fraction bits.
struct Reciprocal {
  int64_t factor;
  int shift;
};

inline Reciprocal reciprocal(const Total& total) {
  const int bits = bitlen(static_cast<uint64_t>(total.sum));
  const uint64_t divisor = static_cast<uint64_t>(total.sum) << (32 - bits);
  return Reciprocal{static_cast<int64_t>((uint64_t(1) << 48) / divisor), 23 + bits - total.exponent};
}

}  // namespace stb
