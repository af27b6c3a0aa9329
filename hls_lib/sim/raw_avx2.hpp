// A tile of keys or values times the tokens' activations in emulation: sums of 32 bits, which hold them
// exactly.
#pragma once

#include "quad_avx2.hpp"

namespace stb {
namespace sim {

// Where the activations of an op lie: group g of token t is at(t)[g * passes].
template <int TOKEN_LANES, int ACTS>
struct Activations {
  const Activation (&acts)[TOKEN_LANES][ACTS];
  int passes;

  const Activation* at(int token) const { return acts[token % TOKEN_LANES] + token / TOKEN_LANES; }
};

// Adds products of 4 columns of 8 rows as pairs of 16 bits. vpmaddubsw takes its unsigned operand first.
template <bool UNSIGNED>
inline __m256i add_products(__m256i pairs, __m256i nibbles, __m256i acts) {
  return _mm256_add_epi16(
      pairs, UNSIGNED ? _mm256_maddubs_epi16(acts, nibbles) : _mm256_maddubs_epi16(nibbles, acts));
}

// Adds the products of one plane's quad, times 2^SHIFT. Pairs of bytes 0..255 fill 16 bits after two words:
// 4 * 2 * 15 * 255 = 30,600.
template <bool UNSIGNED, int SHIFT>
inline void add_quad(const Word* words, const Word& act, __m256i (&sums)[2]) {
  const __m256i low_nibbles = _mm256_set1_epi8(15);
  const __m256i ones = _mm256_set1_epi16(1 << SHIFT);
  for (int first = 0; first < kQuad; first += 2) {
    __m256i pairs[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int j = first; j < first + 2; ++j) {
      const __m256i low_acts = broadcast4(act, 8 * j);
      const __m256i high_acts = broadcast4(act, 8 * j + 4);
      for (int h = 0; h < 2; ++h) {
        const __m256i both = load_half(words[j], h);
        const __m256i low = _mm256_and_si256(both, low_nibbles);
        const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), low_nibbles);
        pairs[h] = add_products<UNSIGNED>(pairs[h], low, low_acts);
        pairs[h] = add_products<UNSIGNED>(pairs[h], high, high_acts);
      }
    }
    for (int h = 0; h < 2; ++h) sums[h] = _mm256_add_epi32(sums[h], _mm256_madd_epi16(pairs[h], ones));
  }
}

constexpr int kRawWords = 2 * kQuad;  // of 32 columns

// 32 columns for one token; the planes hold the values + 128.
template <bool UNSIGNED>
inline void add_columns(const Word* words, const Word& act, __m256i (&sums)[2]) {
  const __m256i offset = _mm256_set1_epi32(-128 * scaled_sum_of(act));
  for (int h = 0; h < 2; ++h) sums[h] = _mm256_add_epi32(sums[h], offset);
  add_quad<UNSIGNED, 0>(words, act, sums);
  add_quad<UNSIGNED, 4>(words + kQuad, act, sums);
}

// Takes the words of 32 columns to `copy` in the cycles of multiply_tiles_by_words.
inline Run<Word> take_timed_columns(Port<Word>& weights, int passes, Word* copy) {
  take_n(weights, copy, kRawWords);
  STB_TICK(kRawWords * (passes - 1))
  return {copy, 1};
}

template <bool UNSIGNED, typename ACTIVATIONS>
inline void multiply_columns(Port<Word>& weights, const LinearOp& op, const ACTIVATIONS& acts,
                             FastSums* sums) {
  Word copy[kRawWords];
  for (int group = 0; group < op.groups;) {
    const Run<Word> run = kTimed ? take_timed_columns(weights, acts.passes, copy)
                                 : take_groups(weights, copy, kRawWords, op.groups - group);
    for (int t = 0; t < op.tokens; ++t) {
      const Word* act = acts.at(t) + group * acts.passes;
      __m256i token[2] = {sums[t].even[0], sums[t].even[1]};
      for (int i = 0; i < run.groups; ++i)
        add_columns<UNSIGNED>(run.tokens + i * kRawWords, act[i * acts.passes], token);
      sums[t].even[0] = token[0];
      sums[t].even[1] = token[1];
    }
    group += run.groups;
  }
}

// One tile of keys or values; the sums of the rows in their order are `even` of each token.
template <typename ACTIVATIONS>
inline void multiply_raw(Port<Word>& weights, const LinearOp& op, const ACTIVATIONS& acts, FastSums* sums) {
  if (op.unsigned_act) {
    multiply_columns<true>(weights, op, acts, sums);
  } else {
    multiply_columns<false>(weights, op, acts, sums);
  }
}

inline Word raw_result_word(const FastSums& sums) {
  Word word;
  for (int h = 0; h < 2; ++h)
    _mm256_store_si256(reinterpret_cast<__m256i*>(word.bytes + 32 * h), sums.even[h]);
  return word;
}

}  // namespace sim
}  // namespace stb
