// The last process of attention: weighted sums of values over their totals, 64 products of four positions a
// cycle.
#pragma once

#include "stb/head.hpp"
#include "stb/kv_blocks.hpp"
#include "stb/reciprocal.hpp"

namespace stb {

// A step through the heads of a run: the recent values come in; then, row by row, products of recent values
// and words of the engine's sums, the last of which gives the result; without sums, words of the result.
struct ValueStep {
  enum Part { kTake, kRecent, kSums, kResult };
  Part part;
  int head;
  int token;
  int shared;  // the row's place among those of its token
  int j;       // recent position
  int slice;   // of the sums
  int word;    // of the head: 64 values of a recent position, 16 of a sum or result
};

// The next row, or the next head behind the last one.
template <typename SHAPE>
inline ValueStep next_row(const ValueStep& step, int tokens) {
  const ValueStep::Part part = ValueStep::kRecent;
  if (step.shared < SHAPE::kShared - 1)
    return ValueStep{part, step.head, step.token, step.shared + 1, 0, 0, 0};
  if (step.token < tokens - 1) return ValueStep{part, step.head, step.token + 1, 0, 0, 0, 0};
  return ValueStep{ValueStep::kTake, step.head + 1, 0, 0, 0, 0, 0};
}

// The position behind those of a step of kRecent, if the row has one.
struct NextRecent {
  int j;
  bool any;
};

// The rest of a word of weights, which are 0 behind the row's own position, is passed over. Both comparisons
// are made at once: the step after waits for them.
inline NextRecent next_recent(const ValueStep& step, const KvBlocks& kv) {
  const int next = step.j + kBanks;
  const int next_word = (step.j | (kLanes - 1)) + 1;
  const bool seen = next <= kv.recent_old + step.token;
  return NextRecent{seen ? next : next_word, seen || next_word < kv.recents};
}

// Behind the last word of a recent position, a slice of the sums or a result.
template <typename SHAPE>
inline ValueStep step_on(const ValueStep& step, const KvBlocks& kv, int tokens) {
  ValueStep next = step;
  next.word = 0;
  if (step.part == ValueStep::kTake || step.part == ValueStep::kRecent) {
    const NextRecent recent = next_recent(step, kv);
    const bool takes = step.part == ValueStep::kTake;
    next.j = takes ? step.j + 1 : recent.j;
    if (takes ? step.j + 1 < kv.recents : recent.any) return next;
    next.j = 0;
    next.part = step.part == ValueStep::kTake ? ValueStep::kRecent
                : kv.blocks > 0               ? ValueStep::kSums
                                              : ValueStep::kResult;
    return next;
  }
  next.slice = step.slice + 1;
  if (step.part == ValueStep::kSums && next.slice < kSlices) return next;
  return next_row<SHAPE>(step, tokens);
}

template <typename SHAPE>
inline ValueStep step_after(const ValueStep& step, const KvBlocks& kv, int tokens) {
  const bool whole = step.part == ValueStep::kTake || step.part == ValueStep::kRecent;
  if (step.word == (whole ? int(SHAPE::kWords) : int(SHAPE::kInWords)) - 1)
    return step_on<SHAPE>(step, kv, tokens);
  ValueStep next = step;
  ++next.word;
  return next;
}

constexpr int kValueSumBits = 48;  // weights below 2^24, int8, at most 32,768 positions, a sign
constexpr int kFactorBits = 19;    // of a reciprocal, at most 2^17, and a sign

// The step gives a word of a row's result.
inline bool gives_result(const ValueStep& step) {
  return step.part == ValueStep::kResult || (step.part == ValueStep::kSums && step.slice == kSlices - 1);
}

// The weighted values of a row so far.
template <int WORDS>
struct ValueSums {
  Int<kValueSumBits> of[WORDS][kWordBytes];
};

// 64 values of each of kBanks positions, times their weights, of which the first is in lane `at`; the first
// ones of a row unless `keep`.
template <int WORDS>
inline void add_recent(ValueSums<WORDS>& sums, const Word (&values)[kBanks], int word, const Word& weights,
                       int at, bool keep) {
recent_products:
  for (int l = 0; l < kWordBytes; ++l) {
    STB_UNROLL
    Int<kValueSumBits> sum = keep ? sums.of[word][l] : Int<kValueSumBits>(0);
  bank_products:
    for (int b = 0; b < kBanks; ++b) {
      STB_UNROLL
      const Int<kWeightBits> weight = lane(weights, at + b);
      sum += widened<kWeightBits + 8>(weight) * signed_byte(values[b], l);
    }
    sums.of[word][l] = sum;
  }
}

// 16 of the engine's sums for one byte of the weights.
template <int WORDS>
inline void add_slice(ValueSums<WORDS>& sums, const Word& x, int word, int slice) {
slice_sums:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const Int<kValueSumBits> sum = lane(x, l);
    const Int<kValueSumBits> by_byte = sum * 256;
    const Int<kValueSumBits> by_two = sum * 65536;
    sums.of[word / 4][kLanes * (word % 4) + l] += slice == 0 ? sum : slice == 1 ? by_byte : by_two;
  }
}

// Word `word` of a row's result.
template <int WORDS>
inline Word result_of(const ValueSums<WORDS>& sums, int word, const Reciprocal& by) {
  Word y;
result_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const Int<kValueSumBits> sum = sums.of[word / 4][kLanes * (word % 4) + l];
    const Int<kFactorBits> factor = by.factor;
    const Int<64> scaled = widened<64>(sum) * factor;
    set_lane(y, l, sat(round_shift(scaled, by.shift)));
  }
  return y;
}

inline Reciprocal reciprocal_of(const Word& totals) {
  // The powers of 32,768 positions are at most 2^16 each, the sink's too: the total is below 2^32.
  return reciprocal(static_cast<uint32_t>(lane(totals, 0)), lane(totals, 2));
}

// Where a result goes: straight to y, or to `buffer` until all heads of the launch are there.
template <typename SHAPE, int CHUNK>
struct Results {
  Word buffer[CHUNK][SHAPE::kHeads * SHAPE::kInWords];
};

// The recent values of a head: position j lies in bank j % kBanks.
template <int RECENTS, int WORDS>
struct RecentValues {
  Word words[kBanks][ceil_div(RECENTS, kBanks)][WORDS];
};

// Those of kBanks positions.
template <int RECENTS, int WORDS>
inline void read_banks(const RecentValues<RECENTS, WORDS>& values, int j, int word, Word (&found)[kBanks]) {
value_banks:
  for (int b = 0; b < kBanks; ++b) {
    STB_UNROLL
    found[b] = values.words[b][j / kBanks][word];
  }
}

// All heads of a run.
template <typename SHAPE, int CHUNK>
inline void add_heads(RecentValues<kOldRecents + CHUNK, SHAPE::kWords>& values, int tokens,
                      const KvBlocks& kv, Port<Word>& sums, Port<Word>& recent, Port<Word>& totals,
                      Port<Word>& own, Results<SHAPE, CHUNK>& results, Port<Word>& y) {
  STB_DISTANCE(values.words, 1)
  ValueSums<SHAPE::kWords> all = {};
  STB_PARTITION(all.of, 1)
  STB_PARTITION(all.of, 2)
  Word weights = zero_word();
  Reciprocal by = {0, 1};
  STB_ENTER(kValueDepth)
value_steps:
  for (ValueStep step = {ValueStep::kTake, 0, 0, 0, 0, 0, 0}; step.head < SHAPE::kKvHeads;
       step = step_after<SHAPE>(step, kv, tokens)) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    if (step.part == ValueStep::kTake) {
      values.words[step.j % kBanks][step.j / kBanks][step.word] = own.read();
    } else if (step.part == ValueStep::kRecent) {
      if (step.word == 0 && step.j % kLanes == 0) weights = recent.read();
      Word words[kBanks];
      STB_PARTITION(words, 1)
      read_banks(values, step.j, step.word, words);
      add_recent(all, words, step.word, weights, step.j % kLanes, step.j > 0);
      const bool ends = step.word == SHAPE::kWords - 1 && !next_recent(step, kv).any;
      if (ends) by = reciprocal_of(totals.read());
    } else if (step.part == ValueStep::kSums) {
      add_slice(all, sums.read(), step.word, step.slice);
    }
    if (gives_result(step)) {
      const Word result = result_of(all, step.word, by);
      const int row = step.head * SHAPE::kShared + step.shared;
      if (tokens == 1) {
        y.write(result);
      } else {
        results.buffer[step.token][row * SHAPE::kInWords + step.word] = result;
      }
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
  RecentValues<kOldRecents + CHUNK, Shape::kWords> recent_values;
  STB_PARTITION(recent_values.words, 1)
  STB_BIND(recent_values.words, lutram)
  Results<Shape, CHUNK> results;
  STB_BIND(results.buffer, uram)
value_runs:
  for (int run = 0; run < RUNS; ++run) {
    const KvBlocks kv = blocks_of(static_cast<int>(cmd_pos(c)), tokens, WINDOWS::at(run));
    add_heads<Shape, CHUNK>(recent_values, tokens, kv, sums, recent, totals, values, results, y);
    if (tokens > 1) send_results(results, tokens, y);
  }
}

}  // namespace stb
