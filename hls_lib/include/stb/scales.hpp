// The integer scales and minima of one weight group, from the fp16 numbers of its header word.
#pragma once

#include "stb/descriptor.hpp"
#include "stb/math.hpp"
#include "stb/pipeline.hpp"

namespace stb {

struct Scales {
  std::int32_t d[kTileRows];
  std::int32_t m[kTileRows];  // multiplies the activations' sum; -128 d for 8 bits, whose planes hold q + 128
};

// trunc(half * 2^exponent), which is below 2^24 (docs/numerics.md chooses the exponent so).
inline std::int32_t fixed_half(std::uint16_t half, int exponent) {
  const int field = (half >> 10) & 31;
  const std::int32_t mantissa = (half & 1023) | (field != 0 ? 1024 : 0);
  const int shift = (field != 0 ? field : 1) - 25 + exponent;
  const std::int32_t size = shift >= 0 ? mantissa << min_of(shift, 20) : mantissa >> min_of(-shift, 31);
  return (half & 0x8000) != 0 ? -size : size;
}

inline Scales unpack_header(const Word& header, const LinearOp& op) {
  Scales scales;
header_rows:
  for (int r = 0; r < kTileRows; ++r) {
    STB_UNROLL
    scales.d[r] = fixed_half(half_at(header, r), op.exponent);
    scales.m[r] =
        op.planes == 2 ? -128 * scales.d[r] : fixed_half(half_at(header, kTileRows + r), op.exponent);
  }
  return scales;
}

// Those of raw ops, whose planes hold their values + 128.
inline Scales raw_scales() {
  Scales scales;
raw_rows:
  for (int r = 0; r < kTileRows; ++r) {
    STB_UNROLL
    scales.d[r] = 1;
    scales.m[r] = -128;
  }
  return scales;
}

}  // namespace stb
