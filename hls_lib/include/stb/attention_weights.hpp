// The third process of attention: the weights of the values from scores, 16 positions a cycle, in base 2.
#pragma once

#include "stb/attention_scores.hpp"

namespace stb {

// The weights of two rows' positions in full blocks, block by block, a word for each half: one row comes while
// the one before goes out.
template <int CONTEXT>
struct RowWeights {
  enum : int { kBlocks = ceil_div(CONTEXT, kBlock) };
  Word low[2 * kBlocks];
  Word high[2 * kBlocks];
};

// A step through the rows of a run: a word of the scores of row `row` in, a word of the weights of the row before
// out. `head_row` counts the rows of a head.
struct WeightStep {
  int row;
  int head_row;
  int step;
  int slice;  // of the word that goes out
  int block;
};

// The sizes of a launch that the steps depend on.
struct WeightSizes {
  int all_rows;
  int rows;  // of a head
  int words;
  int blocks;

  bool takes(const WeightStep& at) const { return at.row < all_rows && at.step < words; }
  bool gives(const WeightStep& at) const { return at.row > 0 && at.step < kSlices * blocks; }
};

inline WeightStep step_after(const WeightStep& step, const WeightSizes& sizes) {
  WeightStep next = step;
  ++next.step;
  next.block = step.block == sizes.blocks - 1 ? 0 : step.block + 1;
  next.slice = next.block == 0 ? step.slice + 1 : step.slice;
  if (sizes.takes(next) || sizes.gives(next)) return next;
  return WeightStep{step.row + 1, step.head_row == sizes.rows - 1 ? 0 : step.head_row + 1, 0, 0, 0};
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

// A word of the scales of positions, which comes with a head's first row.
template <int WORDS>
inline Word value_scales_at(Word (&scales)[WORDS], const WeightStep& step, Port<Word>& value_scales) {
  if (step.head_row > 0) return scales[step.step];
  const Word w = value_scales.read();
  scales[step.step] = w;
  return w;
}

// All rows of a run.
template <int CONTEXT, int WORDS>
inline void weigh_run(Word (&scales)[WORDS], const WeightSizes& sizes, Port<Word>& scores, Port<Word>& tops,
                      Port<Word>& value_scales, Port<Word>& weights, Port<Word>& recent, Port<Word>& totals) {
  using Kept = RowWeights<CONTEXT>;
  Kept kept;
  STB_BIND(kept.low, bram)
  STB_BIND(kept.high, bram)
  STB_DISTANCE(kept.low, 2)  // a recent word lies between
  STB_DISTANCE(kept.high, 2)
  STB_DISTANCE(scales, 1)
  Word top = zero_word();
  int32_t sums[kLanes] = {};
  STB_PARTITION(sums, 1)
  const int turns = sizes.all_rows + (sizes.blocks > 0 ? 1 : 0);
  STB_ENTER(kWeighDepth)
weight_steps:
  for (WeightStep step = {0, 0, 0, 0, 0}; step.row < turns; step = step_after(step, sizes)) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    const int out = (step.row % 2 == 0 ? int(Kept::kBlocks) : 0) + step.block;
    const int in = (step.row % 2 == 0 ? 0 : int(Kept::kBlocks)) + step.step / 2;
    if (sizes.takes(step)) {
      if (step.step == 0) top = tops.read();
      const Word of_positions = value_scales_at(scales, step, value_scales);
      int32_t w[kLanes];
      weigh_lanes(scores.read(), of_positions, top, step.step == 0, sums, w);
      if (step.step < 2 * sizes.blocks && step.step % 2 == 0) {
        kept.low[in] = word_of(w);
      } else if (step.step < 2 * sizes.blocks) {
        kept.high[in] = word_of(w);
      } else {
        recent.write(word_of(w));
      }
      if (step.step == sizes.words - 1) totals.write(total_word(sums, top));
    }
    if (sizes.gives(step)) weights.write(slice_word(kept.low[out], kept.high[out], step.slice));
  }
}

// Per run and head of k and v come of each row its word of `tops` and its words of `scores`, and with those of
// the first row `value_scales`; attention_scores.hpp says what they hold. Of each row go out `weights` (if there are full blocks:
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
weight_runs:
  for (int run = 0; run < RUNS; ++run) {
    const KvBlocks kv = blocks_of(static_cast<int>(cmd_pos(c)), tokens, WINDOWS::at(run));
    const int rows = tokens * kShared;
    const WeightSizes sizes = {KV_HEADS * rows, rows, position_words(kv), kv.blocks};
    weigh_run<CONTEXT>(scales, sizes, scores, tops, value_scales, weights, recent, totals);
  }
}

}  // namespace stb
