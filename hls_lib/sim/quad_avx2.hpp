// The dot products of 32 columns of one plane with AVX2, and with VNNI where the processor has it: the same
// integers as tile.hpp's, much faster.
//
// Per 8 rows: vpmaddubsw of nibbles and a broadcast of 4 activations, summed in 16 bits (at most
// 8 * 15 * 127 * 2 = 30,480), vpmaddwd with the scale's mantissa, vpmuldq with D of the even and odd rows,
// a shift, and a 64-bit sum. Sums are kept in the order even rows, odd rows.
#pragma once

#include <immintrin.h>

namespace stb {
namespace sim {

constexpr int kAhead = 128;  // words of lent memory that are fetched to the second cache before their use

struct FastScales {
  __m256i d[2], d_odd[2], m[2], m_odd[2];
};

struct FastSums {
  __m256i even[2], odd[2];
};

inline __m256i load_half(const Word& word, int half) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(word.bytes + 32 * half));
}

// trunc(half * 2^exponent) of 8 fp16 numbers.
inline __m256i fixed_halves(const unsigned char* halves, __m256 power) {
  const __m128i packed = _mm_load_si128(reinterpret_cast<const __m128i*>(halves));
  return _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_cvtph_ps(packed), power));
}

// -D z of 8 rows.
inline __m256i minima_of_zero_points(__m256i d, const unsigned char* halves) {
  const __m128i packed = _mm_load_si128(reinterpret_cast<const __m128i*>(halves));
  return _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_mullo_epi32(d, _mm256_cvtepu16_epi32(packed)));
}

template <int PLANES, bool ZERO_POINTS>
inline FastScales fast_scales(const Word& header, __m256 power) {
  FastScales scales;
  for (int h = 0; h < 2; ++h) {
    const unsigned char* offsets = header.bytes + 32 + 16 * h;
    scales.d[h] = fixed_halves(header.bytes + 16 * h, power);
    scales.m[h] = PLANES == 2   ? _mm256_slli_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), scales.d[h]), 7)
                  : ZERO_POINTS ? minima_of_zero_points(scales.d[h], offsets)
                                : fixed_halves(offsets, power);
    scales.d_odd[h] = _mm256_srli_epi64(scales.d[h], 32);
    scales.m_odd[h] = _mm256_srli_epi64(scales.m[h], 32);
  }
  return scales;
}

inline __m256i broadcast4(const Word& act, int first) {
  AliasedInt32 four;
  std::memcpy(&four, act.bytes + first, 4);
  return _mm256_set1_epi32(four);
}

#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
// Adds the products of 4 columns of 8 rows to 32-bit sums.
inline __m256i add_four(__m256i sums, __m256i nibbles, __m256i acts) {
  return _mm256_dpbusd_epi32(sums, nibbles, acts);
}

inline __m256i times_mantissa(__m256i sums, int mantissa) {
  return _mm256_mullo_epi32(sums, _mm256_set1_epi32(mantissa));
}
#else
// The same to pairs of 16-bit sums.
inline __m256i add_four(__m256i pairs, __m256i nibbles, __m256i acts) {
  return _mm256_add_epi16(pairs, _mm256_maddubs_epi16(nibbles, acts));
}

inline __m256i times_mantissa(__m256i pairs, int mantissa) {
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(static_cast<short>(mantissa)));
}
#endif

// The dot products of 32 columns with one token, as add_four sums them.
inline void quad_pairs(const Word* words, const Word& act, __m256i (&pairs)[2]) {
  const __m256i low_nibbles = _mm256_set1_epi8(15);
  pairs[0] = pairs[1] = _mm256_setzero_si256();
  for (int j = 0; j < kQuad; ++j) {
    __builtin_prefetch(words + j + kAhead, 0, 1);
    const __m256i low_acts = broadcast4(act, 8 * j);
    const __m256i high_acts = broadcast4(act, 8 * j + 4);
    for (int h = 0; h < 2; ++h) {
      const __m256i both = load_half(words[j], h);
      const __m256i low = _mm256_and_si256(both, low_nibbles);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), low_nibbles);
      pairs[h] = add_four(pairs[h], low, low_acts);
      pairs[h] = add_four(pairs[h], high, high_acts);
    }
  }
}

inline __m256i times_d(__m256i d, __m256i scaled, __m256i m, __m256i offset, bool with_offset) {
  const __m256i product = _mm256_mul_epi32(d, scaled);
  return with_offset ? _mm256_add_epi64(product, _mm256_mul_epi32(m, offset)) : product;
}

// Adds one token's pairs: times mantissa and D, plus M times the scaled sum, shifted.
template <int PLANE>
inline void add_pairs(const __m256i (&pairs)[2], const FastScales& scales, const Word& act, FastSums& sums) {
  const __m256i offset = _mm256_set1_epi32(scaled_sum_of(act));
  const __m128i shift = _mm_cvtsi32_si128(shift_of(act) + 4 * PLANE);
  for (int h = 0; h < 2; ++h) {
    const __m256i scaled = times_mantissa(pairs[h], mantissa_of(act));
    const __m256i odd_scaled = _mm256_srli_epi64(scaled, 32);
    const __m256i even = times_d(scales.d[h], scaled, scales.m[h], offset, PLANE == 0);
    const __m256i odd = times_d(scales.d_odd[h], odd_scaled, scales.m_odd[h], offset, PLANE == 0);
    sums.even[h] = _mm256_add_epi64(sums.even[h], _mm256_sll_epi64(even, shift));
    sums.odd[h] = _mm256_add_epi64(sums.odd[h], _mm256_sll_epi64(odd, shift));
  }
}

inline void store_sums(const FastSums& sums, std::int64_t (&rows)[kTileRows]) {
  for (int h = 0; h < 2; ++h) {
    const __m256i first = _mm256_unpacklo_epi64(sums.even[h], sums.odd[h]);   // rows 0 1 4 5
    const __m256i second = _mm256_unpackhi_epi64(sums.even[h], sums.odd[h]);  // rows 2 3 6 7
    auto* to = reinterpret_cast<__m256i*>(rows + 8 * h);
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(first, second, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(first, second, 0x31));
  }
}

}  // namespace sim
}  // namespace stb
