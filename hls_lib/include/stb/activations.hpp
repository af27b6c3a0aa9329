// Quantised activation words with what a lane needs to know of their scales.
//
// A quantised word holds 32 int8 values, m in byte 32 and e in byte 33. prepare() knows E, the greatest e
// of the vector, and puts behind the values: lane 8 the scale s = mantissa << shift (bits 0-7 mantissa,
// bits 8-15 shift), lane 9 mantissa * asum, lane 10 E. s_g = (m << 12) >> min(E - e, 31) has at most 8
// significant bits, so products with the mantissa alone fit 32 bits.
#pragma once

#include "stb/math.hpp"
#include "stb/types.hpp"

namespace stb {

constexpr int kScaleShift = 12;

inline int group_exponent(const Word& word) { return byte_at(word, 33); }

// An activation: an int8, or a byte 0..255 of raw ops that multiply values.
inline std::int32_t act_value(const Word& word, int i, bool is_unsigned) {
  const int byte = byte_at(word, i);
  return is_unsigned ? byte : static_cast<std::int8_t>(byte);
}

inline std::int32_t group_sum(const Word& word, bool is_unsigned) {
  std::int32_t sum = 0;
group_values:
  for (int i = 0; i < kGroup; ++i) sum += act_value(word, i, is_unsigned);
  return sum;
}

inline Word prepare(const Word& word, int exponent) {
  const int drop = exponent - group_exponent(word);
  const int mantissa =
      drop <= kScaleShift ? byte_at(word, 32) : byte_at(word, 32) >> min_of(drop - kScaleShift, 31);
  const int shift = drop <= kScaleShift ? kScaleShift - drop : 0;
  Word prepared = word;
  set_lane(prepared, 8, mantissa | (shift << 8));
  set_lane(prepared, 9, mantissa * group_sum(word, false));
  set_lane(prepared, 10, exponent);
  return prepared;
}

// The same for the words of raw ops, which have no scales: s = 1, E = 0.
inline Word prepare_raw(const Word& word, bool is_unsigned) {
  Word prepared = word;
  set_lane(prepared, 8, 1);
  set_lane(prepared, 9, group_sum(word, is_unsigned));
  set_lane(prepared, 10, 0);
  return prepared;
}

inline int mantissa_of(const Word& prepared) { return byte_at(prepared, 32); }
inline int shift_of(const Word& prepared) { return byte_at(prepared, 33) & 15; }  // at most 12
inline std::int32_t scaled_sum_of(const Word& prepared) { return lane(prepared, 9); }
inline int exponent_of(const Word& prepared) { return lane(prepared, 10); }

}  // namespace stb
