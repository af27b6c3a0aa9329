// One tile times the tokens' activations in emulation, whole weight groups at a time.
#pragma once

namespace stb {
namespace sim {

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

// Takes the words of one weight group to `copy` in the cycles of multiply_tile_words.
template <int PLANES, int TOKEN_LANES>
inline Run<Word> take_timed_group(Port<Word>& weights, const LinearOp& op, Word* copy) {
  read_n(weights, copy, 1);
  for (int q = 0; q < PLANES * op.weight_group; ++q) {
    read_n(weights, copy + 1 + kQuad * q, kQuad);
    STB_TICK(kQuad * ((op.tokens - 1) / TOKEN_LANES))
  }
  return {copy, 1};
}

template <int PLANES, int TOKENS, int TOKEN_LANES>
inline void multiply_groups(Port<Word>& weights, const LinearOp& op, const Word* acts, FastSums* sums) {
  Word copy[1 + PLANES * kQuad * kLargestGroup];
  const int quads = op.weight_group;
  const int words = 1 + PLANES * kQuad * quads;
  const __m256 power = _mm256_set1_ps(__builtin_ldexpf(1.0f, op.exponent));
  for (int group = 0; group < op.groups;) {
    const Run<Word> run = kTimed ? take_timed_group<PLANES, TOKEN_LANES>(weights, op, copy)
                                 : take_groups(weights, copy, words, (op.groups - group) / quads);
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
template <int PLANES, int TOKEN_LANES>
inline void multiply_for_one(Port<Word>& weights, const LinearOp& op, const Word* acts, FastSums& result) {
  FastSums sums = result;
  multiply_groups<PLANES, 1, TOKEN_LANES>(weights, op, acts, &sums);
  result = sums;
}

template <int PLANES, int TOKEN_LANES>
inline void multiply_for(Port<Word>& weights, const LinearOp& op, const Word* acts, FastSums* sums) {
  if (op.tokens == 1) {
    multiply_for_one<PLANES, TOKEN_LANES>(weights, op, acts, sums[0]);
  } else {
    multiply_groups<PLANES, 0, TOKEN_LANES>(weights, op, acts, sums);
  }
}

}  // namespace sim

template <int CHUNK, int TOKEN_LANES>
void multiply_tile(Port<Word>& weights, const LinearOp& op, const Word* acts, TileSums<CHUNK>& sums) {
  if (sim::kStrict) {
    clear_sums(sums, op.tokens);
    multiply_tile_words<CHUNK, TOKEN_LANES>(weights, op, acts, sums);
    return;
  }
  sim::FastSums fast[CHUNK];
  std::memset(static_cast<void*>(fast), 0, sizeof(fast[0]) * static_cast<std::size_t>(op.tokens));
  if (op.planes == 1) {
    sim::multiply_for<1, TOKEN_LANES>(weights, op, acts, fast);
  } else {
    sim::multiply_for<2, TOKEN_LANES>(weights, op, acts, fast);
  }
  for (int t = 0; t < op.tokens; ++t) sim::store_sums(fast[t], sums.rows[t]);
}

}  // namespace stb
