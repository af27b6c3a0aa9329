// The integer scales and minima of a weight group, from the fp16 numbers of its header word.
#pragma once

#include "stb/descriptor.hpp"
#include "stb/math.hpp"

namespace stb {

constexpr int kRowScaleBits = 25;  // of D and M
constexpr int kZeroPointBits = 6;  // 0..16 and a sign

// trunc(half * 2^exponent), which is below 2^24 (docs/numerics.md chooses the exponent so).
inline std::int32_t fixed_half(std::uint16_t half, int exponent) {
  const int field = (half >> 10) & 31;
  const std::int32_t mantissa = (half & 1023) | (field != 0 ? 1024 : 0);
  const int shift = (field != 0 ? field : 1) - 25 + exponent;
  const std::int32_t size = (mantissa << 20) >> min_of(20 - min_of(shift, 20), 31);
  return (half & 0x8000) != 0 ? -size : size;
}

// D of a row: the scale of its weights.
inline Int<kRowScaleBits> scale_of_row(const Word& header, int row, const LinearOp& op) {
  return fixed_half(half_at(header, row), op.exponent);
}

// -D z, in LUTs; below 2^24 like D itself.
inline Int<kRowScaleBits> minimum_of_zero_point(Int<kRowScaleBits> d, int zero_point) {
  const Int<kZeroPointBits> z = zero_point;
  const Int<kRowScaleBits + kZeroPointBits> product = widened<kRowScaleBits + kZeroPointBits>(d) * z;
  STB_MULTIPLY(product, fabric)
  return -product;
}

// M of a row, which multiplies the activations' sum; there is none for 8 bits. With ZERO_POINTS, the headers
// of some ops hold z in place of an fp16 number: M = -D z.
template <bool ZERO_POINTS>
inline Int<kRowScaleBits> minimum_of_row(const Word& header, int row, Int<kRowScaleBits> d,
                                         const LinearOp& op) {
  const std::uint16_t half = half_at(header, kTileRows + row);
  if (op.planes == 2) return 0;
  if (ZERO_POINTS && op.zero_points) return minimum_of_zero_point(d, half & 31);
  return fixed_half(half, op.exponent);
}

}  // namespace stb
