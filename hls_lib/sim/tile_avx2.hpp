// The tiles of an op times the tokens' activations in emulation, whole weight groups at a time.
#pragma once

#include "raw_avx2.hpp"

namespace stb {
namespace sim {

// The quads of one plane of a weight group, for all tokens. TOKENS is their number if known, else 0.
template <int PLANE, int TOKENS, typename ACTIVATIONS>
inline void add_plane(const Word* words, int quads, const FastScales& scales, const ACTIVATIONS& acts,
                      int first, int tokens, FastSums* sums) {
  const int count = TOKENS > 0 ? TOKENS : tokens;
  const int passes = TOKENS == 1 ? 1 : acts.passes;
  for (int q = 0; q < quads; ++q) {
    for (int t = 0; t < count; ++t) {
      const Word& act = acts.at(t)[(first + q) * passes];
      __m256i pairs[2];
      quad_pairs(words + kQuad * q, act, pairs);
      add_pairs<PLANE>(pairs, scales, act, sums[t]);
    }
  }
}

constexpr int kLargestGroup = 4;  // 128 columns

// Takes the words of one weight group to `copy` in the cycles of multiply_tiles_by_words.
template <int PLANES>
inline Run<Word> take_timed_group(Port<Word>& weights, const LinearOp& op, int passes, Word* copy) {
  const int words = PLANES * kQuad * op.weight_group;
  take_n(weights, copy, 1 + words);
  STB_TICK(words * (passes - 1))
  return {copy, 1};
}

template <int PLANES, bool ZERO_POINTS, int TOKENS, typename ACTIVATIONS>
inline void multiply_groups(Port<Word>& weights, const LinearOp& op, const ACTIVATIONS& acts,
                            FastSums* sums) {
  Word copy[1 + PLANES * kQuad * kLargestGroup];
  const int quads = op.weight_group;
  const int words = 1 + PLANES * kQuad * quads;
  const __m256 power = _mm256_set1_ps(__builtin_ldexpf(1.0f, op.exponent));
  for (int group = 0; group < op.groups;) {
    const Run<Word> run = kTimed ? take_timed_group<PLANES>(weights, op, acts.passes, copy)
                                 : take_groups(weights, copy, words, (op.groups - group) / quads);
    for (int i = 0; i < run.groups; ++i, group += quads) {
      const Word* here = run.tokens + i * words;
      __builtin_prefetch(here + kAhead, 0, 1);
      const FastScales scales = fast_scales<PLANES, ZERO_POINTS>(here[0], power);
      add_plane<0, TOKENS>(here + 1, quads, scales, acts, group, op.tokens, sums);
      if (PLANES == 1) continue;
      add_plane<1, TOKENS>(here + 1 + kQuad * quads, quads, scales, acts, group, op.tokens, sums);
    }
  }
}

// One token's sums stay in registers.
template <int PLANES, bool ZERO_POINTS, typename ACTIVATIONS>
inline void multiply_for_one(Port<Word>& weights, const LinearOp& op, const ACTIVATIONS& acts,
                             FastSums& result) {
  FastSums sums = result;
  multiply_groups<PLANES, ZERO_POINTS, 1>(weights, op, acts, &sums);
  result = sums;
}

template <int PLANES, bool ZERO_POINTS, typename ACTIVATIONS>
inline void multiply_for(Port<Word>& weights, const LinearOp& op, const ACTIVATIONS& acts, FastSums* sums) {
  if (op.tokens == 1) {
    multiply_for_one<PLANES, ZERO_POINTS>(weights, op, acts, sums[0]);
  } else {
    multiply_groups<PLANES, ZERO_POINTS, 0>(weights, op, acts, sums);
  }
}

// One tile. Not inlined: g++ then keeps the loops of one token in registers.
template <bool ZERO_POINTS, typename ACTIVATIONS>
__attribute__((noinline)) void multiply_tile(Port<Word>& weights, const LinearOp& op, const ACTIVATIONS& acts,
                                             FastSums* sums) {
  std::memset(static_cast<void*>(sums), 0, sizeof(sums[0]) * static_cast<std::size_t>(op.tokens));
  if (op.raw) {
    multiply_raw(weights, op, acts, sums);
  } else if (op.planes == 2) {
    multiply_for<2, false>(weights, op, acts, sums);
  } else if (ZERO_POINTS && op.zero_points) {
    multiply_for<1, ZERO_POINTS>(weights, op, acts, sums);
  } else {
    multiply_for<1, false>(weights, op, acts, sums);
  }
}

// The result of 16 rows: y = sat(rsr(sum, shift)).
inline Word result_word(const FastSums& sums, int shift) {
  std::int64_t rows[kTileRows];
  store_sums(sums, rows);
  Word word;
  for (int r = 0; r < kTileRows; ++r) set_lane(word, r, sat(rsr(rows[r], shift)));
  return word;
}

template <int BATCH, int TOKEN_LANES, int AT_ONCE, bool ZERO_POINTS, int ACTS>
void multiply_tiles_by_groups(Port<Word>& weights, const LinearOp& op, int tiles,
                              const Activation (&acts)[TOKEN_LANES][ACTS], Port<Word>& out) {
  const Activations<TOKEN_LANES, ACTS> where = {acts, (op.tokens + TOKEN_LANES - 1) / TOKEN_LANES};
  FastSums sums[BATCH];
  STB_ENTER(kLaneDepth)
  for (int tile = 0; tile < tiles; ++tile) {
    multiply_tile<ZERO_POINTS>(weights, op, where, sums);
    STB_TICK(op.raw ? kQuad : kTileRows / AT_ONCE)
    for (int t = 0; t < op.tokens; ++t) {
      STB_TICK(kQuad)
      const int shift = op.shift - exponent_of(where.at(t)[0]);
      out.write(op.raw ? raw_result_word(sums[t]) : result_word(sums[t], shift));
    }
  }
}

}  // namespace sim

template <int BATCH, int TOKEN_LANES, int AT_ONCE, int FABRIC, bool ZERO_POINTS, int ACTS>
void multiply_tiles(Port<Word>& weights, const LinearOp& op, int tiles,
                    const Activation (&acts)[TOKEN_LANES][ACTS], Port<Word>& out) {
  if (sim::kStrict) {
    multiply_tiles_by_words<BATCH, TOKEN_LANES, AT_ONCE, FABRIC, ZERO_POINTS>(weights, op, tiles, acts, out);
  } else {
    sim::multiply_tiles_by_groups<BATCH, TOKEN_LANES, AT_ONCE, ZERO_POINTS>(weights, op, tiles, acts, out);
  }
}

}  // namespace stb
