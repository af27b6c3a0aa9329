// Causal attention over an int8 KV cache: grouped queries, sliding windows, scores as in stb/score.hpp,
// sinks.
#pragma once

#include "stb/attention_memory.hpp"

namespace stb {

// The dot products of one key with the queries of token t.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void dot_key(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, const Word (&key)[SHAPE::kWords], int kv,
                    int j, int t) {
dot_heads:
  for (int g = 0; g < SHAPE::kShared; ++g) {
    STB_UNROLL
    memory.score[t][kv][g][j] = dot(memory.q[t][kv][g], key);
  }
}

// The sums of token t take in one value.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void add_value(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, const Word (&value)[SHAPE::kWords],
                      int kv, int j, int t) {
  int32_t a[SHAPE::kBytes];
  unpack_head(value, a);
value_heads:
  for (int g = 0; g < SHAPE::kShared; ++g) {
    STB_UNROLL
    accumulate(memory.sums[t][kv][g], memory.score[t][kv][g][j], a);
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
  Word key[SHAPE::kWords];
  RecordStep step = {oldest, 0, 0};
dot_old:
  for (int i = 0; i < (pos - oldest) * (SHAPE::kKvHeads * tokens + SHAPE::kScaleWords); ++i) {
    STB_PIPELINE(SHAPE::kWords)
    STB_TICK(SHAPE::kWords)
    if (step.slot >= SHAPE::kKvHeads) {
      take_scales(memory, kv_k_in.read(), step.slot - SHAPE::kKvHeads, step.j);
    } else {
      if (step.t == 0) read_words(kv_k_in, key);
      dot_key(memory, key, step.slot, step.j, step.t);
    }
    step = step_after(step, SHAPE::kKvHeads, SHAPE::kKvHeads + SHAPE::kScaleWords, tokens);
  }
dot_own:
  for (int own = 0; own < tokens; ++own) {
  dot_own_heads:
    for (int i = 0; i < SHAPE::kKvHeads * (tokens - own); ++i) {
      STB_PIPELINE(1)
      STB_TICK(1)
      const int kv = i % SHAPE::kKvHeads;
      dot_key(memory, memory.key[own][kv], kv, pos + own, own + i / SHAPE::kKvHeads);
    }
  }
}

// Weighted sums of the values in memory from position `oldest` on, then of the launch's own.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void add_values(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int oldest, int pos,
                       Port<Word>& kv_v_in) {
  Word value[SHAPE::kWords];
  RecordStep step = {oldest, 0, 0};
add_old:
  for (int i = 0; i < (pos - oldest) * SHAPE::kKvHeads * tokens; ++i) {
    STB_PIPELINE(SHAPE::kWords)
    STB_TICK(SHAPE::kWords)
    if (step.t == 0) read_words(kv_v_in, value);
    add_value(memory, value, step.slot, step.j, step.t);
    step = step_after(step, SHAPE::kKvHeads, SHAPE::kKvHeads, tokens);
  }
add_own:
  for (int own = 0; own < tokens; ++own) {
  add_own_heads:
    for (int i = 0; i < SHAPE::kKvHeads * (tokens - own); ++i) {
      STB_PIPELINE(1)
      STB_TICK(1)
      const int kv = i % SHAPE::kKvHeads;
      add_value(memory, memory.value[own][kv], kv, pos + own, own + i / SHAPE::kKvHeads);
    }
  }
}

// The sinks of a run: a score for each head of q that no value belongs to.
template <int WORDS>
struct Sinks {
  bool any;
  Word scores[WORDS];
};

// The weights of all values for one query head, which sees `seen` of the positions from `oldest` on; clears
// its sums. A sink takes part in the greatest score and in the total.
template <int64_t C, typename FORM, typename SHAPE, int CHUNK, int CONTEXT>
inline void weigh_head(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int t, int kv, int g, int oldest,
                       const Seen& seen, const Sinks<SHAPE::kHeadWords>& sinks) {
  const Scale q = memory.q_scale[t][kv][g];
  const int head = kv * SHAPE::kShared + g;
  const int32_t sink = lane(sinks.scores[head / kLanes], head % kLanes);
  int32_t (&score)[CONTEXT] = memory.score[t][kv][g];
  const int32_t top =
      score_positions<FORM>(score, memory.key_scale.m[kv], memory.key_scale.e[kv], seen, q.m * C, 50 - q.e,
                            FORM::slope(head), sinks.any ? sink : -2147483647);
  Total total = weigh_positions(score, top, memory.value_scale.m[kv], memory.value_scale.e[kv], oldest, seen);
  if (sinks.any) total.sum += weight_of(sink, top);
  memory.total[t][kv][g] = total;
  clear(memory.sums[t][kv][g]);
}

template <int64_t C, typename FORM, typename SHAPE, int CHUNK, int CONTEXT>
inline void weigh(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos, int window,
                  const Sinks<SHAPE::kHeadWords>& sinks) {
  const int oldest = first_seen(pos, window);
weigh_queries:
  for (int i = 0; i < tokens * SHAPE::kKvHeads; ++i) {
    const int own = pos + i / SHAPE::kKvHeads;
    const Seen seen = {first_seen(own, window), own};
    STB_TICK(2 * (own + 1 - oldest))
  weigh_heads:
    for (int g = 0; g < SHAPE::kShared; ++g) {
      STB_UNROLL
      weigh_head<C, FORM>(memory, own - pos, i % SHAPE::kKvHeads, g, oldest, seen, sinks);
    }
  }
}

// Elements first..first+15 of a head's result.
template <int ELEMENTS>
inline Word divide_word(const SplitSums<ELEMENTS>& sums, int first, const Reciprocal& by) {
  Word y;
divide_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int64_t sum = sums.high[first + l] * int64_t(65536) + sums.low[first + l];
    set_lane(y, l, sat(round_shift(sum * by.factor, by.shift)));
  }
  return y;
}

// The results of all query heads: the weighted sums over their totals.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void give_results(const AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, Port<Word>& y) {
give_results:
  for (int i = 0; i < tokens * SHAPE::kHeads; ++i) {
    const int kv = i % SHAPE::kHeads / SHAPE::kShared;
    const int t = i / SHAPE::kHeads;
    const int g = i % SHAPE::kShared;
    const Reciprocal by = reciprocal(memory.total[t][kv][g]);
    Word words[SHAPE::kInWords];
  divide_words:
    for (int w = 0; w < SHAPE::kInWords; ++w) {
      STB_PIPELINE(1)
      words[w] = divide_word(memory.sums[t][kv][g], kLanes * w, by);
    }
    write_n(y, words, SHAPE::kInWords);
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
  give_records(memory, tokens, pos, kv_k_out, kv_v_out);
  dot_keys(memory, tokens, oldest, pos, kv_k_in);
  weigh<C, FORM>(memory, tokens, pos, window, sinks);
  add_values(memory, tokens, oldest, pos, kv_v_in);
  give_results(memory, tokens, y);
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
  STB_PARTITION(memory.q, 4)
  STB_PARTITION(memory.score, 3)
  Sinks<Shape::kHeadWords> sinks;
  sinks.any = false;
no_sinks:
  for (int i = 0; i < Shape::kHeadWords; ++i) sinks.scores[i] = zero_word();
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
  STB_PARTITION(memory.q, 4)
  STB_PARTITION(memory.score, 3)
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
