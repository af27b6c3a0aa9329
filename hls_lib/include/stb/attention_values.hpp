// The last process of attention: weighted sums of values over their totals, 64 products a cycle.
#pragma once

#include "stb/head.hpp"
#include "stb/kv_blocks.hpp"
#include "stb/reciprocal.hpp"

namespace stb {

// A step through a row: products of recent values, words of the engine's sums, words of the result.
struct ValueStep {
  enum Part { kRecent, kSums, kResult };
  Part part;
  int row;
  int j;      // recent position
  int slice;  // of the sums
  int word;   // of the head: 64 values of a recent position, 16 of a sum or result
};

template <typename SHAPE>
inline ValueStep step_after(const ValueStep& step, const KvBlocks& kv) {
  const int words = step.part == ValueStep::kRecent ? int(SHAPE::kWords) : int(SHAPE::kInWords);
  if (step.word < words - 1) return ValueStep{step.part, step.row, step.j, step.slice, step.word + 1};
  if (step.part == ValueStep::kRecent) {
    if (step.j < kv.recents - 1) return ValueStep{step.part, step.row, step.j + 1, 0, 0};
    return ValueStep{kv.blocks > 0 ? ValueStep::kSums : ValueStep::kResult, step.row, 0, 0, 0};
  }
  if (step.part == ValueStep::kSums) {
    if (step.slice < kSlices - 1) return ValueStep{step.part, step.row, 0, step.slice + 1, 0};
    return ValueStep{ValueStep::kResult, step.row, 0, 0, 0};
  }
  return ValueStep{ValueStep::kRecent, step.row + 1, 0, 0, 0};
}

// The weighted values of a row so far.
template <int WORDS>
struct ValueSums {
  int64_t of[WORDS][kWordBytes];
};

// 64 values of one position, times its weight; the first ones of a row unless `keep`.
template <int WORDS>
inline void add_recent(ValueSums<WORDS>& sums, const Word& values, int word, int32_t weight, bool keep) {
recent_products:
  for (int l = 0; l < kWordBytes; ++l) {
    STB_UNROLL
    const int32_t product = weight * signed_byte(values, l);
    sums.of[word][l] = product + (keep ? sums.of[word][l] : 0);
  }
}

// 16 of the engine's sums for one byte of the weights.
template <int WORDS>
inline void add_slice(ValueSums<WORDS>& sums, const Word& x, int word, int slice) {
slice_sums:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    sums.of[word / 4][kLanes * (word % 4) + l] += static_cast<int64_t>(lane(x, l)) * (1 << (8 * slice));
  }
}

// Word `word` of a row's result.
template <int WORDS>
inline Word result_of(const ValueSums<WORDS>& sums, int word, const Reciprocal& by) {
  Word y;
result_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int64_t sum = sums.of[word / 4][kLanes * (word % 4) + l];
    set_lane(y, l, sat(round_shift(sum * by.factor, by.shift)));
  }
  return y;
}

inline Reciprocal reciprocal_of(const Word& totals) {
  const int64_t total =
      (static_cast<int64_t>(lane(totals, 1)) << 32) | static_cast<uint32_t>(lane(totals, 0));
  return reciprocal(total, lane(totals, 2));
}

// Where a result goes: straight to y, or to `buffer` until all heads of the launch are there.
template <typename SHAPE, int CHUNK>
struct Results {
  Word buffer[CHUNK][SHAPE::kHeads * SHAPE::kInWords];
};

// All rows of one head.
template <typename SHAPE, int CHUNK>
inline void add_rows(const Word (&values)[kOldRecents + CHUNK][SHAPE::kWords], int head, int tokens,
                     const KvBlocks& kv, Port<Word>& sums, Port<Word>& recent, Port<Word>& totals,
                     Results<SHAPE, CHUNK>& results, Port<Word>& y) {
  ValueSums<SHAPE::kWords> all = {};
  STB_PARTITION(all.of, 1)
  STB_PARTITION(all.of, 2)
  Word weights = zero_word();
  Reciprocal by = {0, 1};
  int token = 0;
  int at = 0;  // of the result in its token
  STB_ENTER(kValueDepth)
row_steps:
  for (ValueStep step = {ValueStep::kRecent, 0, 0, 0, 0}; step.row < tokens * SHAPE::kShared;
       step = step_after<SHAPE>(step, kv)) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    if (step.part == ValueStep::kRecent) {
      if (step.word == 0 && step.j % kLanes == 0) weights = recent.read();
      add_recent(all, values[step.j][step.word], step.word, lane(weights, step.j % kLanes), step.j > 0);
      const bool ends = step.word == SHAPE::kWords - 1 && step.j == kv.recents - 1;
      if (ends) by = reciprocal_of(totals.read());
    } else if (step.part == ValueStep::kSums) {
      add_slice(all, sums.read(), step.word, step.slice);
    } else {
      const Word result = result_of(all, step.word, by);
      if (tokens == 1) {
        y.write(result);
      } else {
        results.buffer[token][head * (SHAPE::kShared * SHAPE::kInWords) + at] = result;
      }
      const bool last = at == SHAPE::kShared * SHAPE::kInWords - 1;
      at = last ? 0 : at + 1;
      token = last ? token + 1 : token;
    }
  }
}

// The results of all heads, token by token.
template <typename SHAPE, int CHUNK>
inline void send_results(const Results<SHAPE, CHUNK>& results, int tokens, Port<Word>& y) {
  int token = 0;
  int word = 0;
  STB_ENTER(kStoreDepth)
send_results:
  for (int i = 0; i < tokens * SHAPE::kHeads * SHAPE::kInWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    y.write(results.buffer[token][word]);
    const bool last = word == SHAPE::kHeads * SHAPE::kInWords - 1;
    word = last ? 0 : word + 1;
    token = last ? token + 1 : token;
  }
}

// The recent values of one head.
template <int WORDS, int RECENTS>
inline void take_values(Word (&to)[RECENTS][WORDS], int recents, Port<Word>& values) {
  int j = 0;
  int word = 0;
  STB_ENTER(kMoveDepth)
take_values:
  for (int i = 0; i < recents * WORDS; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    to[j][word] = values.read();
    const bool last = word == WORDS - 1;
    word = last ? 0 : word + 1;
    j = last ? j + 1 : j;
  }
}

// Per run and head of k and v come the recent `values` (ceil(HEAD_DIM / 64) words a position), then of each
// row `recent` and `totals` (attention_weights.hpp) and, if there are full blocks, `sums`: for each of the
// three bytes of the weights, lowest first, the engine's HEAD_DIM sums over the positions of full blocks. y
// is HEADS * HEAD_DIM elements a token with 16 fraction bits: of one token head by head, of several behind
// the last head of the run.
template <int RUNS, int HEADS, int KV_HEADS, int HEAD_DIM, int CHUNK, typename WINDOWS = WholeContext>
void attention_values(Port<Cmd>& cmd, Port<Word>& sums, Port<Word>& recent, Port<Word>& totals,
                      Port<Word>& values, Port<Word>& y) {
  using Shape = HeadShape<HEADS, KV_HEADS, HEAD_DIM>;
  const Cmd c = cmd.read();
  const int tokens = cmd_tokens(c);
  Word of_head[kOldRecents + CHUNK][Shape::kWords];
  STB_BIND(of_head, bram)
  Results<Shape, CHUNK> results;
  STB_BIND(results.buffer, uram)
value_heads:
  for (RunHead at = {0, 0}; at.run < RUNS; at = step_after<KV_HEADS>(at)) {
    const KvBlocks kv = blocks_of(static_cast<int>(cmd_pos(c)), tokens, WINDOWS::at(at.run));
    take_values(of_head, kv.recents, values);
    add_rows<Shape, CHUNK>(of_head, at.head, tokens, kv, sums, recent, totals, results, y);
    if (tokens > 1 && at.head == KV_HEADS - 1) send_results(results, tokens, y);
  }
}

}  // namespace stb
