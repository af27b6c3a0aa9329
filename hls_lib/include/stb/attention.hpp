// Causal attention over an int8 KV cache: grouped queries, sliding windows, scores as in stb/score.hpp,
// sinks.
#pragma once

#include "stb/softmax.hpp"

namespace stb {

// A step through records: position j, word group `slot` of its record, token t of the launch.
struct RecordStep {
  int j;
  int slot;
  int t;
};

// Slots below `heads` take a step for every token, the others one.
inline RecordStep step_after(const RecordStep& step, int heads, int slots, int tokens) {
  if (step.slot < heads && step.t < tokens - 1) return RecordStep{step.j, step.slot, step.t + 1};
  if (step.slot < slots - 1) return RecordStep{step.j, step.slot + 1, 0};
  return RecordStep{step.j + 1, 0, 0};
}

// A step through the launch's own records: that of token `own`, for each token t from it on all heads.
struct OwnStep {
  int own;
  int t;
  int kv;
};

template <int KV_HEADS>
inline OwnStep step_after(const OwnStep& step, int tokens) {
  if (step.kv < KV_HEADS - 1) return OwnStep{step.own, step.t, step.kv + 1};
  if (step.t < tokens - 1) return OwnStep{step.own, step.t + 1, 0};
  return OwnStep{step.own + 1, step.own + 1, 0};
}

// The steps of `heads` heads.
inline int own_steps(int heads, int tokens) { return heads * (tokens * (tokens + 1) / 2); }

// The dot products of one key, that of position j, with the queries of a row.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void dot_key(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, const Word (&key)[SHAPE::kWords], int row,
                    int j) {
dot_heads:
  for (int g = 0; g < SHAPE::kShared; ++g) {
    STB_UNROLL
    memory.score[row][g][j] = dot(memory.q.words[row][g], key);
  }
}

// The sums of a row take in one value, that of position j; the first one if not `keep`.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void add_value(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, const Word (&value)[SHAPE::kWords],
                      int row, int j, bool keep) {
value_heads:
  for (int g = 0; g < SHAPE::kShared; ++g) {
    STB_UNROLL
    accumulate(memory.low[row][g], memory.high[row][g], memory.score[row][g][j], value, keep);
  }
}

// A word of scales of position j, the `slot`-th behind its keys.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void take_scales(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, const Word& word, int slot, int j) {
take_scales:
  for (int i = 0; i < min_of(kScales, SHAPE::kKvHeads); ++i) {
    STB_UNROLL
    const int kv = kScales * slot + i;
    if (kv < SHAPE::kKvHeads) {
      memory.key_scale.take(word, 4 * i, kv, j);
      memory.value_scale.take(word, 4 * i + 2, kv, j);
    }
  }
}

// Dot products with the keys in memory from position `oldest` on, then with the launch's own.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void dot_keys(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int oldest, int pos,
                     Port<Word>& kv_k_in) {
  const int old_steps = (pos - oldest) * (SHAPE::kKvHeads * tokens + SHAPE::kScaleWords);
  Word key[SHAPE::kWords];
  STB_PARTITION(key, 1)
  RecordStep step = {oldest, 0, 0};
  STB_ENTER(kMultiplyDepth)
dot_old:
  for (int i = 0; i < old_steps; ++i) {
    STB_PIPELINE(SHAPE::kWords)
    STB_TICK(SHAPE::kWords)
    if (step.slot >= SHAPE::kKvHeads) {
      take_scales(memory, kv_k_in.read(), step.slot - SHAPE::kKvHeads, step.j);
    } else {
      if (step.t == 0) read_words(kv_k_in, key);
      dot_key(memory, key, step.t * SHAPE::kKvHeads + step.slot, step.j);
    }
    step = step_after(step, SHAPE::kKvHeads, SHAPE::kKvHeads + SHAPE::kScaleWords, tokens);
  }
  OwnStep own = {0, 0, 0};
  STB_ENTER(kMultiplyDepth)
dot_own:
  for (int i = 0; i < own_steps(SHAPE::kKvHeads, tokens); ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const int row = own.own * SHAPE::kKvHeads + own.kv;
    dot_key(memory, memory.key.words[row][0], own.t * SHAPE::kKvHeads + own.kv, pos + own.own);
    own = step_after<SHAPE::kKvHeads>(own, tokens);
  }
}

// Weighted sums of the values in memory from position `oldest` on, then of the launch's own.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void add_values(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int oldest, int pos,
                       Port<Word>& kv_v_in) {
  STB_DISTANCE(memory.low, SHAPE::kKvHeads)
  STB_DISTANCE(memory.high, SHAPE::kKvHeads)
  Word value[SHAPE::kWords];
  STB_PARTITION(value, 1)
  RecordStep step = {oldest, 0, 0};
  STB_ENTER(kMultiplyDepth)
add_old:
  for (int i = 0; i < (pos - oldest) * SHAPE::kKvHeads * tokens; ++i) {
    STB_PIPELINE(SHAPE::kWords)
    STB_TICK(SHAPE::kWords)
    if (step.t == 0) read_words(kv_v_in, value);
    add_value(memory, value, step.t * SHAPE::kKvHeads + step.slot, step.j, step.j > oldest);
    step = step_after(step, SHAPE::kKvHeads, SHAPE::kKvHeads, tokens);
  }
  OwnStep own = {0, 0, 0};
  STB_ENTER(kMultiplyDepth)
add_own:
  for (int i = 0; i < own_steps(SHAPE::kKvHeads, tokens); ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const int row = own.own * SHAPE::kKvHeads + own.kv;
    add_value(memory, memory.value.words[row][0], own.t * SHAPE::kKvHeads + own.kv, pos + own.own,
              pos + own.own > oldest);
    own = step_after<SHAPE::kKvHeads>(own, tokens);
  }
}

// Elements first..first+15 of a head's result.
template <int ELEMENTS>
inline Word divide_word(const uint32_t (&low)[ELEMENTS], const int32_t (&high)[ELEMENTS], int first,
                        const Reciprocal& by) {
  Word y;
divide_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int64_t sum = high[first + l] * int64_t(65536) + low[first + l];
    set_lane(y, l, sat(round_shift(sum * by.factor, by.shift)));
  }
  return y;
}

// A step through the words of the results.
struct ResultStep {
  int row;
  int kv;
  int shared;
  int word;
};

template <typename SHAPE>
inline ResultStep step_after(const ResultStep& step) {
  if (step.word < SHAPE::kInWords - 1) return ResultStep{step.row, step.kv, step.shared, step.word + 1};
  if (step.shared < SHAPE::kShared - 1) return ResultStep{step.row, step.kv, step.shared + 1, 0};
  return ResultStep{step.row + 1, step.kv < SHAPE::kKvHeads - 1 ? step.kv + 1 : 0, 0, 0};
}

// The results of all query heads: the weighted sums over their totals, the sink's weight among them.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void give_results(const AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens,
                         const Sinks<SHAPE::kHeadWords>& sinks, Port<Word>& y) {
  Reciprocal by = {0, 1};
  ResultStep step = {0, 0, 0, 0};
  STB_ENTER(2 * kMultiplyDepth + kScaleDepth)
give_results:
  for (int i = 0; i < tokens * SHAPE::kHeads * SHAPE::kInWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    if (step.word == 0) {
      const int32_t sink = sink_of(sinks, step.kv * SHAPE::kShared + step.shared);
      const int32_t own = sinks.any ? weight_of(sink, memory.top[step.row][step.shared]) : 0;
      by = reciprocal(memory.total[step.row][step.shared] + own, memory.exponent[step.row]);
    }
    y.write(divide_word(memory.low[step.row][step.shared], memory.high[step.row][step.shared],
                        kLanes * step.word, by));
    step = step_after<SHAPE>(step);
  }
}

template <int HEAD_DIM, int CONTEXT>
inline void check_attention() {
  static_assert(CONTEXT <= 32768, "the context is at most 32,768: the sums stay within 64 bits");
  static_assert(HEAD_DIM <= 512, "the dimension of a head is at most 512: a score stays within 64 bits");
}

// One run of the block; each query sees its own position and `window` - 1 before it.
template <int64_t C, typename FORM, typename SHAPE, int CHUNK, int CONTEXT>
inline void attend(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos, int window,
                   const Sinks<SHAPE::kHeadWords>& sinks, Port<Word>& q, Port<Word>& k, Port<Word>& v,
                   Port<Word>& kv_k_in, Port<Word>& kv_v_in, Port<Word>& kv_k_out, Port<Word>& kv_v_out,
                   Port<Word>& y) {
  const int oldest = first_seen(pos, window);
  take_in(memory, tokens, pos, q, k, v);
  give_records(memory, tokens, kv_k_out, kv_v_out);
  dot_keys(memory, tokens, oldest, pos, kv_k_in);
  find_scores<C, FORM>(memory, tokens, pos, window, sinks);
  find_weights(memory, tokens, pos, window);
  add_values(memory, tokens, oldest, pos, kv_v_in);
  give_results(memory, tokens, sinks, y);
}

// q: HEADS * HEAD_DIM elements a token, k and v: KV_HEADS * HEAD_DIM, y as q, all with 16 fraction bits.
// C is the scale of the scores, round(scale * log2(e) * 2^20); FORM what else happens to them (score.hpp);
// WINDOWS how many positions a query sees in each run. Per run: the key records of positions
// first_seen(pos, window)..pos-1 come from kv_k_in, then their value records from kv_v_in; those of the
// launch's n positions go to kv_k_out and kv_v_out before either is read, and are used from on-chip memory.
// Needs 1 <= n <= CHUNK and pos + n <= CONTEXT. Lag: one chunk. It takes the whole chunk of q, then that
// of k, then that of v: if they are not made in this order, the FIFO of the one made too early holds a
// chunk, else the network hangs.
template <int RUNS, int HEADS, int KV_HEADS, int HEAD_DIM, int CHUNK, int CONTEXT, int64_t C,
          typename FORM = PlainScore, typename WINDOWS = WholeContext>
void attention(Port<Cmd>& cmd, Port<Word>& q, Port<Word>& k, Port<Word>& v, Port<Word>& kv_k_in,
               Port<Word>& kv_v_in, Port<Word>& kv_k_out, Port<Word>& kv_v_out, Port<Word>& y) {
  using Shape = HeadShape<HEADS, KV_HEADS, HEAD_DIM>;
  check_attention<HEAD_DIM, CONTEXT>();
  const Cmd c = cmd.read();
  const int tokens = cmd_tokens(c);
  const int pos = static_cast<int>(cmd_pos(c));
  AttentionMemory<Shape, CHUNK, CONTEXT> memory;
  lay_out(memory);
  Sinks<Shape::kHeadWords> sinks;
  sinks.any = false;
no_sinks:
  for (int i = 0; i < Shape::kHeadWords; ++i) {
    STB_UNROLL
    sinks.scores[i] = zero_word();
  }
attention_runs:
  for (int run = 0; run < RUNS; ++run) {
    attend<C, FORM>(memory, tokens, pos, WINDOWS::at(run), sinks, q, k, v, kv_k_in, kv_v_in, kv_k_out,
                    kv_v_out, y);
  }
}

// The same with a sink for each head of q: before all else, each run takes their scores (base 2, 16 fraction
// bits, ceil(HEADS / 16) words) from `sink_scores`.
template <int RUNS, int HEADS, int KV_HEADS, int HEAD_DIM, int CHUNK, int CONTEXT, int64_t C,
          typename FORM = PlainScore, typename WINDOWS = WholeContext>
void attention_with_sinks(Port<Cmd>& cmd, Port<Word>& q, Port<Word>& k, Port<Word>& v, Port<Word>& kv_k_in,
                          Port<Word>& kv_v_in, Port<Word>& sink_scores, Port<Word>& kv_k_out,
                          Port<Word>& kv_v_out, Port<Word>& y) {
  using Shape = HeadShape<HEADS, KV_HEADS, HEAD_DIM>;
  check_attention<HEAD_DIM, CONTEXT>();
  const Cmd c = cmd.read();
  const int tokens = cmd_tokens(c);
  const int pos = static_cast<int>(cmd_pos(c));
  AttentionMemory<Shape, CHUNK, CONTEXT> memory;
  lay_out(memory);
  Sinks<Shape::kHeadWords> sinks;
  sinks.any = true;
attention_runs:
  for (int run = 0; run < RUNS; ++run) {
    read_n(sink_scores, sinks.scores, Shape::kHeadWords);
    attend<C, FORM>(memory, tokens, pos, WINDOWS::at(run), sinks, q, k, v, kv_k_in, kv_v_in, kv_k_out,
                    kv_v_out, y);
  }
}

}  // namespace stb
