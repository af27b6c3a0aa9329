// The scores and weights of attention in emulation, a head of q after the other.
#pragma once

namespace stb {
namespace sim {

// Scores of positions `first` to `own` from the dot products; gives the top one, which is at least `top`.
template <typename FORM>
inline int32_t score_row(int32_t* score, const uint8_t* m, const uint8_t* e, int first, int own,
                         int64_t factor, int shift, int32_t slope, int32_t top) {
  for (int j = first; j <= own; ++j) {
    const int64_t product = static_cast<int64_t>(score[j]) * m[j] * factor;
    score[j] = score_of<FORM>(product, shift - e[j], slope, own - j);
    top = score[j] > top ? score[j] : top;
  }
  return top;
}

inline int largest_exponent(const uint8_t* e, int first, int own) {
  int top = 0;
  for (int j = first; j <= own; ++j) top = e[j] > top ? e[j] : top;
  return top;
}

// Weights of positions `first` to `own` from the scores; gives their sum.
inline int64_t weigh_row(int32_t* score, int32_t top, int exponent, const uint8_t* m, const uint8_t* e,
                         int first, int own) {
  int64_t sum = 0;
  for (int j = first; j <= own; ++j) {
    const int32_t p = weight_of(score[j], top);
    sum += p;
    score[j] = (p * m[j]) >> min_of(exponent - e[j], 31);
  }
  return sum;
}

}  // namespace sim

template <int64_t C, typename FORM, typename SHAPE, int CHUNK, int CONTEXT>
inline void find_scores(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos, int window,
                        const Sinks<SHAPE::kHeadWords>& sinks) {
  if (sim::kSingle) return find_scores_by_steps<C, FORM>(memory, tokens, pos, window, sinks);
  for (int row = 0; row < tokens * SHAPE::kKvHeads; ++row) {
    const int kv = row % SHAPE::kKvHeads;
    const int own = pos + row / SHAPE::kKvHeads;
    const int first = first_seen(own, window);
    memory.exponent[row] = static_cast<uint8_t>(sim::largest_exponent(memory.value_scale.e[kv], first, own));
    for (int g = 0; g < SHAPE::kShared; ++g) {
      const int head = kv * SHAPE::kShared + g;
      memory.top[row][g] = sim::score_row<FORM>(
          memory.score[row][g], memory.key_scale.m[kv], memory.key_scale.e[kv], first, own,
          memory.q.m[row][g] * C, 50 - memory.q.e[row][g], FORM::slope(head), sink_of(sinks, head));
    }
  }
}

template <typename SHAPE, int CHUNK, int CONTEXT>
inline void find_weights(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos, int window) {
  if (sim::kSingle) return find_weights_by_steps(memory, tokens, pos, window);
  for (int row = 0; row < tokens * SHAPE::kKvHeads; ++row) {
    const int kv = row % SHAPE::kKvHeads;
    const int own = pos + row / SHAPE::kKvHeads;
    const int first = first_seen(own, window);
    for (int g = 0; g < SHAPE::kShared; ++g) {
      int32_t* score = memory.score[row][g];
      for (int j = first_seen(pos, window); j < first; ++j) score[j] = 0;
      memory.total[row][g] = sim::weigh_row(score, memory.top[row][g], memory.exponent[row],
                                            memory.value_scale.m[kv], memory.value_scale.e[kv], first, own);
    }
  }
}

}  // namespace stb
