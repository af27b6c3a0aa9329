// Softmax in base 2 over the scores of a run, folded with the scales of the values.
//
// Two loops over the positions of all queries of the launch: one finds the greatest scores, the next turns
// scores into weights. The heads of q that share a head of k and v take each step together.
#pragma once

#include "stb/attention_memory.hpp"
#include "stb/reciprocal.hpp"

namespace stb {

// The sinks of a run: a score for each head of q that no value belongs to.
template <int WORDS>
struct Sinks {
  bool any;
  Word scores[WORDS];
};

// The sink of a head; below every score if there is none.
template <int WORDS>
inline int32_t sink_of(const Sinks<WORDS>& sinks, int head) {
  return sinks.any ? lane(sinks.scores[head / kLanes], head % kLanes) : -2147483647;
}

// A step through the positions from `oldest` to its own of each query, a token's heads one after the other.
struct QueryStep {
  int row;
  int kv;
  int own;
  int j;
};

template <int KV_HEADS>
inline QueryStep step_after(const QueryStep& step, int oldest) {
  if (step.j < step.own) return QueryStep{step.row, step.kv, step.own, step.j + 1};
  if (step.kv < KV_HEADS - 1) return QueryStep{step.row + 1, step.kv + 1, step.own, oldest};
  return QueryStep{step.row + 1, 0, step.own + 1, oldest};
}

// The steps of queries at pos..pos+tokens-1 with `heads` heads each.
inline int query_steps(int heads, int tokens, int pos, int oldest) {
  return heads * (tokens * (pos + 1 - oldest) + tokens * (tokens - 1) / 2);
}

// Turns dot products into scores, and finds the top one of each query among those that it sees, and the
// greatest exponent of the values. The text that synthesis gets; also what the strict mode and the timed
// network run.
template <int64_t C, typename FORM, typename SHAPE, int CHUNK, int CONTEXT>
inline void find_scores_by_steps(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos,
                                 int window, const Sinks<SHAPE::kHeadWords>& sinks) {
  STB_INDEPENDENT(memory.score)
  const int oldest = first_seen(pos, window);
  const int steps = query_steps(SHAPE::kKvHeads, tokens, pos, oldest);
  int32_t tops[SHAPE::kShared] = {};
  STB_PARTITION(tops, 1)
  uint8_t exponent = 0;
  QueryStep step = {0, 0, pos, oldest};
  STB_ENTER(2 * kMultiplyDepth + kAddDepth)
score_positions:
  for (int i = 0; i < steps; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const bool first = step.j == oldest;
    const bool seen = step.j >= first_seen(step.own, window);
    const uint8_t key_m = memory.key_scale.m[step.kv][step.j];
    const int key_e = memory.key_scale.e[step.kv][step.j];
    const uint8_t value_e = seen ? memory.value_scale.e[step.kv][step.j] : uint8_t(0);
    exponent = first || value_e > exponent ? value_e : exponent;
    memory.exponent[step.row] = exponent;
  score_heads:
    for (int g = 0; g < SHAPE::kShared; ++g) {
      STB_UNROLL
      const int head = step.kv * SHAPE::kShared + g;
      const int64_t product =
          static_cast<int64_t>(memory.score[step.row][g][step.j]) * key_m * (memory.q.m[step.row][g] * C);
      const int32_t score =
          score_of<FORM>(product, 50 - memory.q.e[step.row][g] - key_e, FORM::slope(head), step.own - step.j);
      memory.score[step.row][g][step.j] = score;
      const int32_t before = first ? sink_of(sinks, head) : tops[g];
      tops[g] = seen && score > before ? score : before;
      memory.top[step.row][g] = tops[g];
    }
    step = step_after<SHAPE::kKvHeads>(step, oldest);
  }
}

// Turns scores into the weights of the values; those of positions that a query does not see are 0.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void find_weights_by_steps(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos,
                                  int window) {
  STB_INDEPENDENT(memory.score)
  const int oldest = first_seen(pos, window);
  const int steps = query_steps(SHAPE::kKvHeads, tokens, pos, oldest);
  int64_t sums[SHAPE::kShared] = {};
  STB_PARTITION(sums, 1)
  QueryStep step = {0, 0, pos, oldest};
  STB_ENTER(2 * kMultiplyDepth)
weigh_positions:
  for (int i = 0; i < steps; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const bool first = step.j == oldest;
    const bool seen = step.j >= first_seen(step.own, window);
    const uint8_t m = memory.value_scale.m[step.kv][step.j];
    const int shift = min_of(memory.exponent[step.row] - memory.value_scale.e[step.kv][step.j], 31);
  weigh_heads:
    for (int g = 0; g < SHAPE::kShared; ++g) {
      STB_UNROLL
      const int32_t p = seen ? weight_of(memory.score[step.row][g][step.j], memory.top[step.row][g]) : 0;
      sums[g] = p + (first ? 0 : sums[g]);
      memory.total[step.row][g] = sums[g];
      memory.score[step.row][g][step.j] = seen ? (p * m) >> shift : 0;
    }
    step = step_after<SHAPE::kKvHeads>(step, oldest);
  }
}

}  // namespace stb

// In emulation each head's positions are a loop of their own, which g++ vectorises.
#ifndef STB_SYNTHESIS
#include "../../sim/softmax_rows.hpp"
#else
namespace stb {

template <int64_t C, typename FORM, typename SHAPE, int CHUNK, int CONTEXT>
inline void find_scores(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos, int window,
                        const Sinks<SHAPE::kHeadWords>& sinks) {
  STB_INLINE
  find_scores_by_steps<C, FORM>(memory, tokens, pos, window, sinks);
}

template <typename SHAPE, int CHUNK, int CONTEXT>
inline void find_weights(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos, int window) {
  STB_INLINE
  find_weights_by_steps(memory, tokens, pos, window);
}

}  // namespace stb
#endif
