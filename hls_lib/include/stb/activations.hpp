// Quantised activation words with what a lane needs to know of their scales.
//
// A quantised word holds 32 int8 values, m in byte 32 and e in byte 33. prepare() knows E, the greatest e
// of the vector, and puts lane 8 behind the values, so that a lane stores 288 bits (four blocks of URAM):
//   bits 0-7 mantissa, 8-11 shift: the scale s = mantissa << shift, which is (m << 12) >> min(E - e, 31)
//   bits 12-17 E, 18-31 asum, the sum of the values, signed
// s has at most 8 significant bits and is below 2^20.
#pragma once

#include "stb/math.hpp"
#include "stb/pipeline.hpp"
#include "stb/types.hpp"

namespace stb {

constexpr int kScaleShift = 12;
constexpr int kMantissaBits = 9;  // 255 and a sign
constexpr int kActSumBits = 14;   // 32 values of 9 bits, signed

inline int group_exponent(const Word& word) { return byte_at(word, 33); }

// An activation: an int8, or a byte 0..255 of raw ops that multiply values.
template <typename WORD>
inline std::int32_t act_value(const WORD& word, int i, bool is_unsigned) {
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
  const std::uint32_t sum = static_cast<std::uint32_t>(group_sum(word, false)) << 18;
  Word prepared = word;
  set_lane(prepared, 8,
           static_cast<std::int32_t>(sum |
                                     static_cast<std::uint32_t>(mantissa | (shift << 8) | (exponent << 12))));
  return prepared;
}

// The same for the words of raw ops, which have no scales: s = 1, E = 0.
inline Word prepare_raw(const Word& word, bool is_unsigned) {
  const std::uint32_t sum = static_cast<std::uint32_t>(group_sum(word, is_unsigned)) << 18;
  Word prepared = word;
  set_lane(prepared, 8, static_cast<std::int32_t>(sum | 1));
  return prepared;
}

inline int mantissa_of(const Activation& act) { return byte_at(act, 32); }
inline int shift_of(const Activation& act) { return byte_at(act, 33) & 15; }  // at most 12
inline int exponent_of(const Activation& act) { return (lane(act, 8) >> 12) & 63; }
inline int sum_of(const Activation& act) { return lane(act, 8) >> 18; }

// mantissa * asum, in LUTs: a lane needs one each quad.
inline std::int32_t scaled_sum_of(const Activation& act) {
  const Int<kMantissaBits> mantissa = mantissa_of(act);
  const Int<kActSumBits> sum = sum_of(act);
  const Int<kMantissaBits + kActSumBits> scaled = widened<kMantissaBits + kActSumBits>(mantissa) * sum;
  STB_MULTIPLY(scaled, fabric)
  return scaled;
}

}  // namespace stb
