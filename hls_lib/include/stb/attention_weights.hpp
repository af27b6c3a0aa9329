// The third process of attention: the weights of the values from scores, 16 positions a cycle, in base 2.
#pragma once

#include "stb/attention_scores.hpp"

namespace stb {

// The weights of one row's positions in full blocks, block by block, a word for each half.
template <int CONTEXT>
struct RowWeights {
  Word halves[2][ceil_div(CONTEXT, kBlock)];
};

// A step through the rows of a head: words of scores in, then words of weights out, slice by slice.
struct WeightStep {
  int row;
  int word;  // of scores
  int slice;
  int block;
};

// `out` is false while scores come in.
inline WeightStep step_after(const WeightStep& step, int words, int blocks) {
  if (step.word < words - 1) return WeightStep{step.row, step.word + 1, 0, 0};
  if (step.word == words - 1 && blocks > 0) return WeightStep{step.row, words, 0, 0};
  if (step.block < blocks - 1) return WeightStep{step.row, step.word, step.slice, step.block + 1};
  if (step.slice < kSlices - 1 && blocks > 0) return WeightStep{step.row, step.word, step.slice + 1, 0};
  return WeightStep{step.row + 1, 0, 0, 0};
}

// The weights of 16 positions; their powers join the sums of a row, which begin with its first word.
inline void weigh_lanes(const Word& scores, const Word& scales, const Word& top, bool first,
                        int32_t (&sums)[kLanes], int32_t (&w)[kLanes]) {
weigh_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int32_t score = lane(scores, l);
    const int32_t scale = lane(scales, l);
    const int32_t m = (scale >> 16) & 255;
    const int below = lane(top, 1) - ((scale >> 24) & 31);
    const int32_t p = score == kUnseen ? 0 : weight_of(score, lane(top, 0));
    sums[l] = p + (first ? 0 : sums[l]);
    w[l] = (p * m) >> min_of(below < 0 ? 0 : below, 31);
  }
}

// Byte `slice` of the weights of 32 positions.
inline Word slice_word(const Word& low, const Word& high, int slice) {
  Word word = zero_word();
slice_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    set_byte(word, l, static_cast<uint8_t>(lane(low, l) >> (8 * slice)));
    set_byte(word, kLanes + l, static_cast<uint8_t>(lane(high, l) >> (8 * slice)));
  }
  return word;
}

// The sum of all lanes.
inline int64_t sum_of(const int32_t (&x)[kLanes]) {
  int64_t sum = 0;
sum_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    sum += x[l];
  }
  return sum;
}

// The word of a row behind its last weight: the sum of its powers, the sink's among them, and the exponent.
inline Word total_word(const int32_t (&sums)[kLanes], const Word& tops) {
  const int32_t sink = lane(tops, 3) != 0 ? weight_of(lane(tops, 2), lane(tops, 0)) : 0;
  const int64_t total = sum_of(sums) + sink;
  Word word = zero_word();
  set_lane(word, 0, static_cast<int32_t>(static_cast<uint32_t>(total)));
  set_lane(word, 1, static_cast<int32_t>(total >> 32));
  set_lane(word, 2, lane(tops, 1));
  return word;
}

// All rows of one head.
template <int CONTEXT, typename SCALES>
inline void weigh_rows(const SCALES& scales, int rows, const KvBlocks& kv, Port<Word>& scores,
                       Port<Word>& tops, Port<Word>& weights, Port<Word>& recent, Port<Word>& totals) {
  const int words = position_words(kv);
  RowWeights<CONTEXT> kept;
  STB_PARTITION(kept.halves, 1)
  STB_BIND(kept.halves, bram)
  STB_DISTANCE(kept.halves, 2)  // a recent word lies between
  Word top = zero_word();
  int32_t sums[kLanes] = {};
  STB_PARTITION(sums, 1)
  STB_ENTER(kWeighDepth)
weight_words:
  for (WeightStep step = {0, 0, 0, 0}; step.row < rows; step = step_after(step, words, kv.blocks)) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    if (step.word == words) {
      weights.write(slice_word(kept.halves[0][step.block], kept.halves[1][step.block], step.slice));
    } else {
      if (step.word == 0) top = tops.read();
      int32_t w[kLanes];
      weigh_lanes(scores.read(), scales[step.word], top, step.word == 0, sums, w);
      if (step.word < 2 * kv.blocks) {
        kept.halves[step.word % 2][step.word / 2] = word_of(w);
      } else {
        recent.write(word_of(w));
      }
      if (step.word == words - 1) totals.write(total_word(sums, top));
    }
  }
}

// Per run and head of k and v comes `value_scales`, then of each row its word of `tops` and its words of
// `scores`; attention_scores.hpp says what they hold. Of each row go out `weights` (if there are full blocks:
// for each of the three bytes of a weight, lowest first, a word for each block with its 32 positions),
// `recent` (the weights of the recent positions, 16 a word) and `totals` (lanes 0 and 1 the sum of the powers
// in 64 bits, the sink's among them, lane 2 the exponent of the weights). Lag: one row.
template <int RUNS, int HEADS, int KV_HEADS, int CHUNK, int CONTEXT, typename WINDOWS = WholeContext>
void attention_weights(Port<Cmd>& cmd, Port<Word>& scores, Port<Word>& tops, Port<Word>& value_scales,
                       Port<Word>& weights, Port<Word>& recent, Port<Word>& totals) {
  enum : int { kShared = HEADS / KV_HEADS };
  const Cmd c = cmd.read();
  const int tokens = cmd_tokens(c);
  Word scales[HeadScales<1, CONTEXT, CHUNK>::kPositionWords];
  STB_BIND(scales, bram)
weight_heads:
  for (RunHead at = {0, 0}; at.run < RUNS; at = step_after<KV_HEADS>(at)) {
    const KvBlocks kv = blocks_of(static_cast<int>(cmd_pos(c)), tokens, WINDOWS::at(at.run));
    read_n(value_scales, scales, position_words(kv));
    weigh_rows<CONTEXT>(scales, tokens * kShared, kv, scores, tops, weights, recent, totals);
  }
}

}  // namespace stb
