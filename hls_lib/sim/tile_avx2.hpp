// One tile times the tokens' activations with AVX2: the same integers as tile.hpp, some hundred times faster.
//
// Per quad (32 columns of a plane) and 8 rows: vpmaddubsw of nibbles and a broadcast of 4 activations,
// summed in 16 bits (at most 8 * 15 * 127 * 2 = 30,480), vpmaddwd with the scale's mantissa, vpmuldq with
// D of the even and odd rows, a shift, and a 64-bit sum. Sums are kept in the order even rows, odd rows.
#pragma once

#include <immintrin.h>

namespace stb {
namespace sim {

constexpr int kAhead = 64;  // words of lent memory that are fetched before their use

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

template <int PLANES>
inline FastScales fast_scales(const Word& header, __m256 power) {
  FastScales scales;
  for (int h = 0; h < 2; ++h) {
    scales.d[h] = fixed_halves(header.bytes + 16 * h, power);
    scales.m[h] = PLANES == 1 ? fixed_halves(header.bytes + 32 + 16 * h, power)
                              : _mm256_slli_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), scales.d[h]), 7);
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

// The dot products of 32 columns with one token, as pairs of 16-bit sums per row.
inline void quad_pairs(const Word* words, const Word& act, __m256i (&pairs)[2]) {
  const __m256i low_nibbles = _mm256_set1_epi8(15);
  pairs[0] = pairs[1] = _mm256_setzero_si256();
  for (int j = 0; j < kQuad; ++j) {
    __builtin_prefetch(words + j + kAhead);
    const __m256i low_acts = broadcast4(act, 8 * j);
    const __m256i high_acts = broadcast4(act, 8 * j + 4);
    for (int h = 0; h < 2; ++h) {
      const __m256i both = load_half(words[j], h);
      const __m256i low = _mm256_and_si256(both, low_nibbles);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), low_nibbles);
      pairs[h] = _mm256_add_epi16(pairs[h], _mm256_maddubs_epi16(low, low_acts));
      pairs[h] = _mm256_add_epi16(pairs[h], _mm256_maddubs_epi16(high, high_acts));
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
  const __m256i mantissa = _mm256_set1_epi16(static_cast<short>(mantissa_of(act)));
  const __m256i offset = _mm256_set1_epi32(scaled_sum_of(act));
  const __m128i shift = _mm_cvtsi32_si128(shift_of(act) + 4 * PLANE);
  for (int h = 0; h < 2; ++h) {
    const __m256i scaled = _mm256_madd_epi16(pairs[h], mantissa);
    const __m256i odd_scaled = _mm256_srli_epi64(scaled, 32);
    const __m256i even = times_d(scales.d[h], scaled, scales.m[h], offset, PLANE == 0);
    const __m256i odd = times_d(scales.d_odd[h], odd_scaled, scales.m_odd[h], offset, PLANE == 0);
    sums.even[h] = _mm256_add_epi64(sums.even[h], _mm256_sll_epi64(even, shift));
    sums.odd[h] = _mm256_add_epi64(sums.odd[h], _mm256_sll_epi64(odd, shift));
  }
}

// The quads of one plane of a weight group, for all tokens. TOKENS is their number if known, else 0.
template <int PLANE, int TOKENS>
inline void add_plane(const Word* words, int quads, const FastScales& scales, const Word* acts, int tokens,
                      FastSums* sums) {
  const int count = TOKENS > 0 ? TOKENS : tokens;
  for (int q = 0; q < quads; ++q) {
    for (int t = 0; t < count; ++t) {
      const Word& act = acts[q * count + t];
      __m256i pairs[2];
      quad_pairs(words + kQuad * q, act, pairs);
      add_pairs<PLANE>(pairs, scales, act, sums[t]);
    }
  }
}

constexpr int kLargestGroup = 4;  // 128 columns

template <int PLANES, int TOKENS>
inline void multiply_groups(Port<Word>& weights, const LinearOp& op, const Word* acts, FastSums* sums) {
  Word copy[1 + PLANES * kQuad * kLargestGroup];
  const int quads = op.weight_group;
  const int words = 1 + PLANES * kQuad * quads;
  const __m256 power = _mm256_set1_ps(__builtin_ldexpf(1.0f, op.exponent));
  for (int group = 0; group < op.groups;) {
    const Run<Word> run = take_groups(weights, copy, words, (op.groups - group) / quads);
    for (int i = 0; i < run.groups; ++i, group += quads) {
      const Word* here = run.tokens + i * words;
      const Word* group_acts = acts + group * op.tokens;
      const FastScales scales = fast_scales<PLANES>(here[0], power);
      add_plane<0, TOKENS>(here + 1, quads, scales, group_acts, op.tokens, sums);
      if (PLANES == 1) continue;
      add_plane<1, TOKENS>(here + 1 + kQuad * quads, quads, scales, group_acts, op.tokens, sums);
    }
  }
}

// One token's sums stay in registers.
template <int PLANES>
inline void multiply_for_one(Port<Word>& weights, const LinearOp& op, const Word* acts, FastSums& result) {
  FastSums sums = result;
  multiply_groups<PLANES, 1>(weights, op, acts, &sums);
  result = sums;
}

template <int PLANES>
inline void multiply_for(Port<Word>& weights, const LinearOp& op, const Word* acts, FastSums* sums) {
  if (op.tokens == 1) {
    multiply_for_one<PLANES>(weights, op, acts, sums[0]);
  } else {
    multiply_groups<PLANES, 0>(weights, op, acts, sums);
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

template <int CHUNK, int TOKEN_LANES>
void multiply_tile(Port<Word>& weights, const LinearOp& op, const Word* acts, TileSums<CHUNK>& sums) {
  if (sim::kSingle) {
    clear_sums(sums, op.tokens);
    multiply_tile_words<CHUNK, TOKEN_LANES>(weights, op, acts, sums);
    return;
  }
  sim::FastSums fast[CHUNK];
  std::memset(static_cast<void*>(fast), 0, sizeof(fast[0]) * static_cast<std::size_t>(op.tokens));
  if (op.planes == 1) {
    sim::multiply_for<1>(weights, op, acts, fast);
  } else {
    sim::multiply_for<2>(weights, op, acts, fast);
  }
  for (int t = 0; t < op.tokens; ++t) sim::store_sums(fast[t], sums.rows[t]);
}

}  // namespace stb
