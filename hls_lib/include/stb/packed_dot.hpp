// Two dot products in one DSP: the numbers of the second lie 18 bits above those of the first.
#pragma once

#include "stb/pipeline.hpp"
#include "stb/types.hpp"

namespace stb {

constexpr int kDotBits = 18;                 // of a dot product, signed
constexpr int kPairBits = 2 * kDotBits + 1;  // of two
constexpr int kDspBits = 48;                 // of a DSP's sum

// The dot products of a pair: the lower one has 18 bits and its sign, which counts in the upper one too, unless
// they were made apart.
inline Int<kDotBits> first_dot(Int<kPairBits> pair) {
  const Int<kDotBits + 1> low = pair & ((1 << kDotBits) - 1);
  return low - ((low >> (kDotBits - 1)) << kDotBits);
}
inline Int<kDotBits> second_dot(Int<kPairBits> pair, bool apart) {
  return (pair >> kDotBits) + (apart ? Int<kPairBits>(0) : (pair >> (kDotBits - 1)) & 1);
}

constexpr int kByteBits = 8;
constexpr int kBytesBits = kDotBits + kByteBits + 1;  // two bytes for one DSP
constexpr int kBytesAtOnce = 8;                       // products that add up in a cascade: below 2^17

inline Int<kByteBits> int8_at(const Word& word, int i) { return static_cast<std::int8_t>(byte_at(word, i)); }

// Eight int8 of `x` from `from` on, times those of two other words.
inline Int<kPairBits> dot_of_eight(const Word& x, const Word& first, const Word& second, int from) {
  STB_CHAIN
  Int<kDspBits> packed = 0;
eight_bytes:
  for (int i = from; i < from + kBytesAtOnce; ++i) {
    STB_UNROLL
    const Int<kBytesBits> both = (Int<kBytesBits>(int8_at(second, i)) << kDotBits) + int8_at(first, i);
    packed += widened<kBytesBits + kByteBits>(both) * int8_at(x, i);
  }
  return packed;
}

// The dot products of a word of 64 int8 with two others.
struct TwoDots {
  std::int32_t first;
  std::int32_t second;
};

inline TwoDots two_dots(const Word& x, const Word& first, const Word& second) {
  TwoDots sum = {0, 0};
cascades:
  for (int part = 0; part < kWordBytes / kBytesAtOnce; ++part) {
    STB_UNROLL
    const Int<kPairBits> pair = dot_of_eight(x, first, second, kBytesAtOnce * part);
    sum.first += first_dot(pair);
    sum.second += second_dot(pair, false);
  }
  return sum;
}

}  // namespace stb
