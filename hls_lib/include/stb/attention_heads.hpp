// The first process of attention: quantised heads, records and tiles for memory, what is recent by head.
#pragma once

#include "stb/attention_tiles.hpp"
#include "stb/packed_dot.hpp"

namespace stb {

// A step through what the other processes get of each head. A step of kDots is 64 products of each of kBanks
// positions.
struct HeadOut {
  enum Part { kQueries, kQueryScales, kRecentScales, kDots, kValues, kNext };
  Part part;
  int kv;
  int t;
  int shared;
  int j;     // recent position, or place of the row in its word
  int word;  // of the head
};

// The sizes of a launch that the steps depend on.
struct HeadSizes {
  int tokens;
  int recents;
  bool blocks;  // there are some
};

// The next row, or the next part if that was the last one.
template <typename SHAPE>
inline HeadOut next_row(const HeadOut& step, int tokens, HeadOut::Part part) {
  if (step.shared < SHAPE::kShared - 1) return HeadOut{step.part, step.kv, step.t, step.shared + 1, 0, 0};
  if (step.t < tokens - 1) return HeadOut{step.part, step.kv, step.t + 1, 0, 0, 0};
  return HeadOut{part, step.kv, 0, 0, 0, 0};
}

template <typename SHAPE>
inline HeadOut step_after(const HeadOut& step, const HeadSizes& sizes) {
  HeadOut next = step;
  if (step.part == HeadOut::kQueries) {
    ++next.word;
    return next.word < Squares<SHAPE>::kOfKey ? next
                                              : next_row<SHAPE>(step, sizes.tokens, HeadOut::kQueryScales);
  }
  if (step.part == HeadOut::kQueryScales) {
    next = next_row<SHAPE>(step, sizes.tokens, HeadOut::kRecentScales);
    next.j = next.part == step.part && step.j < kLanes - 1 ? step.j + 1 : 0;
    return next;
  }
  const bool head_ends = step.word == SHAPE::kWords - 1 || step.part == HeadOut::kRecentScales;
  next.word = head_ends ? 0 : step.word + 1;
  if (!head_ends) return next;
  next.j = step.j + (step.part == HeadOut::kDots ? int(kBanks) : 1);
  if (next.j < sizes.recents) return next;
  if (step.part == HeadOut::kDots) return next_row<SHAPE>(step, sizes.tokens, HeadOut::kValues);
  if (step.part == HeadOut::kRecentScales) return HeadOut{HeadOut::kDots, step.kv, 0, 0, 0, 0};
  return HeadOut{sizes.blocks ? HeadOut::kQueries : HeadOut::kQueryScales, step.kv + 1, 0, 0, 0, 0};
}

// 32 bytes of a word, zeros behind.
inline Word half_of(const Word& word, int half) {
  Word y = zero_word();
half_bytes:
  for (int i = 0; i < kGroup; ++i) {
    STB_UNROLL
    set_byte(y, i, byte_at(word, kGroup * half + i));
  }
  return y;
}

// The dot products of a row with kBanks recent keys so far; those behind the last one are 0.
template <typename SHAPE, int CHUNK>
inline void add_dots(const RecentHeads<SHAPE, CHUNK>& heads, const HeadOut& step, int recents,
                     int32_t (&sums)[kBanks]) {
  const Word query = heads.q[step.t * SHAPE::kKvHeads + step.kv][step.shared][step.word];
  const int row = heads.key.row(step.j, step.kv);
bank_pairs:
  for (int b = 0; b < kBanks; b += 2) {
    STB_UNROLL
    const TwoDots dots =
        two_dots(query, heads.key.words[b][row][step.word], heads.key.words[b + 1][row][step.word]);
    sums[b] = step.j + b < recents ? dots.first + (step.word == 0 ? 0 : sums[b]) : 0;
    sums[b + 1] = step.j + b + 1 < recents ? dots.second + (step.word == 0 ? 0 : sums[b + 1]) : 0;
  }
}

// All heads: queries for the engine, scales, dot products with the recent keys, the recent values.
template <typename SHAPE, int CHUNK>
inline void give_heads(const RecentHeads<SHAPE, CHUNK>& heads, const HeadSizes& sizes, Port<Word>& queries,
                       Port<Word>& scales, Port<Word>& dots, Port<Word>& values) {
  Word lanes = zero_word();
  int32_t sums[kBanks] = {};
  STB_PARTITION(sums, 1)
  STB_ENTER(kMultiplyDepth + kTreeDepth)
head_steps:
  for (HeadOut step = {sizes.blocks ? HeadOut::kQueries : HeadOut::kQueryScales, 0, 0, 0, 0, 0};
       step.kv < SHAPE::kKvHeads; step = step_after<SHAPE>(step, sizes)) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    const int row = step.t * SHAPE::kKvHeads + step.kv;
    const int at = step.j % kLanes;
    if (at == 0 && step.word == 0) lanes = zero_word();
    if (step.part == HeadOut::kQueries) {
      queries.write(half_of(heads.q[row][step.shared][step.word / 2], step.word % 2));
    } else if (step.part == HeadOut::kQueryScales) {
      set_lane(lanes, at, heads.q_m[row][step.shared] | (heads.q_e[row][step.shared] << 8));
      const bool last = step.t == sizes.tokens - 1 && step.shared == SHAPE::kShared - 1;
      if (last || at == kLanes - 1) scales.write(lanes);
    } else if (step.part == HeadOut::kRecentScales) {
      set_lane(lanes, at, lane(heads.scales[step.j][step.kv / kScales], step.kv % kScales));
      if (at == kLanes - 1 || step.j == sizes.recents - 1) scales.write(lanes);
    } else if (step.part == HeadOut::kDots) {
      add_dots(heads, step, sizes.recents, sums);
    bank_lanes:
      for (int b = 0; b < kBanks; ++b) {
        STB_UNROLL
        set_lane(lanes, at + b, sums[b]);
      }
      const bool ends = at == kLanes - kBanks || step.j + kBanks >= sizes.recents;
      if (ends && step.word == SHAPE::kWords - 1) dots.write(lanes);
    } else {
      values.write(heads.value[step.j * SHAPE::kKvHeads + step.kv][step.word]);
    }
  }
}

// q: HEADS * HEAD_DIM elements a token, k and v: KV_HEADS * HEAD_DIM, all with 16 fraction bits. Per run, in
// this order: the records of the positions between the last full block and the launch come from kv_in, while
// the engine still works; q, k and v of each token come in. Then, head of k and v by head:
// `queries` (if there are full blocks; of each row, a token's query head, ceil(HEAD_DIM / 32) words of 32
// int8), `scales` (16 rows' m, e, 0, 0 in a word, then 16 recent positions' m_k, e_k, m_v, e_v), `dots` (of
// each row the dot products with the recent keys, 16 a word), `values` (the recent ones, int8). Last, since
// nobody waits for them, the launch's records and the tiles of the blocks that it completes go to kv_out.
template <int RUNS, int HEADS, int KV_HEADS, int HEAD_DIM, int CHUNK, typename WINDOWS = WholeContext>
void attention_heads(Port<Cmd>& cmd, Port<Word>& q, Port<Word>& k, Port<Word>& v, Port<Word>& kv_in,
                     Port<Word>& kv_out, Port<Word>& queries, Port<Word>& scales, Port<Word>& dots,
                     Port<Word>& values) {
  using Shape = HeadShape<HEADS, KV_HEADS, HEAD_DIM>;
  const Cmd c = cmd.read();
  const int tokens = cmd_tokens(c);
  RecentHeads<Shape, CHUNK> heads;
  lay_out(heads);
heads_runs:
  for (int run = 0; run < RUNS; ++run) {
    const KvBlocks kv = blocks_of(static_cast<int>(cmd_pos(c)), tokens, WINDOWS::at(run));
    take_records(heads, kv.recent_old, kv_in);
    take_launch(heads, tokens, kv.recent_old, q, k, v);
    give_heads(heads, HeadSizes{tokens, kv.recents, kv.blocks > 0}, queries, scales, dots, values);
    give_own_records(heads, tokens, kv.recent_old, kv_out);
    give_tiles(heads, kv.recents, kv_out);
  }
}

}  // namespace stb
