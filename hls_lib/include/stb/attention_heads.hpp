// The first process of attention: quantised heads, records and tiles for memory, what is recent by head.
#pragma once

#include "stb/attention_memory.hpp"
#include "stb/kv_blocks.hpp"

namespace stb {

// What one run keeps on chip: the launch's q, k and v, and keys and values of recent positions. A row of q is
// a token's head of k and v; keys and values have a row for each head of each recent position. The scales are
// those of a key record.
template <typename SHAPE, int CHUNK>
struct RecentHeads {
  enum : int { kRecents = kOldRecents + CHUNK };
  RawHeads<CHUNK * SHAPE::kHeads, SHAPE::kInWords> raw;
  Heads<CHUNK * SHAPE::kKvHeads, SHAPE::kShared, SHAPE::kWords> q;
  Heads<kRecents * SHAPE::kKvHeads, 1, SHAPE::kWords> key;
  Heads<kRecents * SHAPE::kKvHeads, 1, SHAPE::kWords> value;
  Word scales[kRecents][SHAPE::kScaleWords];
};

template <typename SHAPE, int CHUNK>
inline void lay_out(RecentHeads<SHAPE, CHUNK>& heads) {
  STB_INLINE
  static_cast<void>(heads);  // pragmas are no use of it
  STB_BIND(heads.raw.words, uram)
  STB_BIND(heads.q.words, bram)
  STB_BIND(heads.key.words, bram)
  STB_BIND(heads.value.words, bram)
  STB_BIND(heads.scales, bram)
}

// The launch's q, then its k, then its v; keys and values behind those of `recent_old` positions.
template <typename SHAPE, int CHUNK>
inline void take_launch(RecentHeads<SHAPE, CHUNK>& heads, int tokens, int recent_old, Port<Word>& q,
                        Port<Word>& k, Port<Word>& v) {
  const int first = recent_old * SHAPE::kKvHeads;
  take_heads(heads.raw, tokens * SHAPE::kHeads, q);
  quantize_heads(heads.raw, tokens * SHAPE::kHeads, heads.q);
  take_heads(heads.raw, tokens * SHAPE::kKvHeads, k);
  quantize_heads(heads.raw, tokens * SHAPE::kKvHeads, heads.key, first);
  take_heads(heads.raw, tokens * SHAPE::kKvHeads, v);
  quantize_heads(heads.raw, tokens * SHAPE::kKvHeads, heads.value, first);
}

// The records of the launch's own positions go to memory, key record before value record; their scales stay.
template <typename SHAPE, int CHUNK>
inline void give_own_records(RecentHeads<SHAPE, CHUNK>& heads, int tokens, int recent_old,
                             Port<Word>& kv_k_out, Port<Word>& kv_v_out) {
  Word scales[SHAPE::kScaleWords];
  STB_PARTITION(scales, 1)
  RecordOut step = {RecordOut::kKeys, recent_old * SHAPE::kKvHeads, 0, 0};
  int position = recent_old;
  STB_ENTER(kMoveDepth)
own_records:
  for (int i = 0; i < tokens * (2 * SHAPE::kKvHeads * SHAPE::kWords + SHAPE::kScaleWords); ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    if (step.part == RecordOut::kKeys) {
      Word word = step.kv % kScales == 0 && step.word == 0 ? zero_word() : scales[step.kv / kScales];
      set_byte(word, 4 * (step.kv % kScales), heads.key.m[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 1, heads.key.e[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 2, heads.value.m[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 3, heads.value.e[step.row][0]);
      scales[step.kv / kScales] = word;
      kv_k_out.write(heads.key.words[step.row][0][step.word]);
    } else if (step.part == RecordOut::kScaleWords) {
      heads.scales[position][step.word] = scales[step.word];
      if (step.word == SHAPE::kScaleWords - 1) ++position;
      kv_k_out.write(scales[step.word]);
    } else {
      kv_v_out.write(heads.value.words[step.row][0][step.word]);
    }
    step = step_after<SHAPE>(step);
  }
}

// The key records, then the value records of the `recent_old` positions before the launch.
template <typename SHAPE, int CHUNK>
inline void take_records(RecentHeads<SHAPE, CHUNK>& heads, int recent_old, Port<Word>& kv_k_in,
                         Port<Word>& kv_v_in) {
  int row = 0;
  int kv = 0;
  int word = 0;
  int position = 0;
  STB_ENTER(kMoveDepth)
key_records:
  for (int i = 0; i < recent_old * (SHAPE::kKvHeads * SHAPE::kWords + SHAPE::kScaleWords); ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word w = kv_k_in.read();
    const bool scales = kv == SHAPE::kKvHeads;
    if (scales) {
      heads.scales[position][word] = w;
    } else {
      heads.key.words[row][0][word] = w;
    }
    const bool last = word == (scales ? SHAPE::kScaleWords - 1 : SHAPE::kWords - 1);
    word = last ? 0 : word + 1;
    row = last && !scales ? row + 1 : row;
    position = last && scales ? position + 1 : position;
    kv = !last ? kv : scales ? 0 : kv + 1;
  }
  row = 0;
  word = 0;
  STB_ENTER(kMoveDepth)
value_records:
  for (int i = 0; i < recent_old * SHAPE::kKvHeads * SHAPE::kWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    heads.value.words[row][0][word] = kv_v_in.read();
    const bool last = word == SHAPE::kWords - 1;
    word = last ? 0 : word + 1;
    row = last ? row + 1 : row;
  }
}

// A step through the tiles of the blocks that a launch completes: of each block all heads, of each head the
// squares of 16 rows and 32 columns of its two K tiles, those of its V tiles, its two words of scales. A
// square is filled position by position, then goes out in words; so does a word of scales.
struct TileOut {
  int position;  // the first of the square, from the first recent one
  int kv;
  int square;  // of the head's
  int step;    // positions to come in, then words to go out
};

template <typename SHAPE>
struct Squares {
  enum : int {
    kOfKey = ceil_div(SHAPE::kInWords, 2),  // in a K tile
    kValues = 2 * kOfKey,                   // the first of the V tiles
    kScaleWords = kValues + SHAPE::kInWords,
    kAll = kScaleWords + 2
  };
  static int positions(int square) { return square >= kValues && square < kScaleWords ? kBlock : kTileRows; }
  static int words(int square) { return square < kScaleWords ? int(kSquareWords) : 1; }
  // Whether the square is of the second half of the positions.
  static bool second(int square) { return (square >= kOfKey && square < kValues) || square == kAll - 1; }
};

template <typename SHAPE>
inline TileOut step_after(const TileOut& step) {
  using Of = Squares<SHAPE>;
  if (step.step < Of::positions(step.square) + Of::words(step.square) - 1) {
    return TileOut{step.position, step.kv, step.square, step.step + 1};
  }
  if (step.square < Of::kAll - 1) return TileOut{step.position, step.kv, step.square + 1, 0};
  if (step.kv < SHAPE::kKvHeads - 1) return TileOut{step.position, step.kv + 1, 0, 0};
  return TileOut{step.position + kBlock, 0, 0, 0};
}

// 16 rows of 32 columns of a tile.
struct Square {
  std::uint8_t at[kTileRows][kBlock];
};

// Row `row` of a square becomes 32 of the bytes of a word.
inline void set_row(Square& square, int row, const Word& word, int half) {
row_bytes:
  for (int c = 0; c < kBlock; ++c) {
    STB_UNROLL
    square.at[row][c] = byte_at(word, kBlock * half + c);
  }
}

// Column `column` of a square becomes 16 of the bytes of a word.
inline void set_column(Square& square, int column, const Word& word, int quarter) {
column_bytes:
  for (int r = 0; r < kTileRows; ++r) {
    STB_UNROLL
    square.at[r][column] = byte_at(word, kTileRows * quarter + r);
  }
}

// The nibble of an int8 in a plane: the low one, or the high one plus 8.
inline int nibble_of(std::uint8_t value, int plane) { return plane == 0 ? value & 15 : (value >> 4) ^ 8; }

// Word `word` of a square: four of each plane, 8 columns each.
inline Word square_word(const Square& square, int word) {
  const int plane = word / 4;
  Word w = zero_word();
square_rows:
  for (int r = 0; r < kTileRows; ++r) {
    STB_UNROLL
  square_columns:
    for (int c = 0; c < 4; ++c) {
      STB_UNROLL
      const int low = nibble_of(square.at[r][8 * (word % 4) + c], plane);
      const int high = nibble_of(square.at[r][8 * (word % 4) + 4 + c], plane);
      set_byte(w, 4 * r + c, static_cast<std::uint8_t>(low | (high << 4)));
    }
  }
  return w;
}

// One position comes into the square, or into the word of scales.
template <typename SHAPE, int CHUNK>
inline void fill_square(const RecentHeads<SHAPE, CHUNK>& heads, const TileOut& step, Square& square,
                        Word& scales) {
  using Of = Squares<SHAPE>;
  const int position = step.position + step.step + (Of::second(step.square) ? int(kTileRows) : 0);
  const int row = position * SHAPE::kKvHeads + step.kv;
  if (step.square < Of::kValues) {
    const int group = Of::second(step.square) ? step.square - int(Of::kOfKey) : step.square;
    set_row(square, step.step, heads.key.words[row][0][group / 2], group % 2);
  } else if (step.square < Of::kScaleWords) {
    const int tile = step.square - Of::kValues;
    set_column(square, step.step, heads.value.words[row][0][tile / 4], tile % 4);
  } else {
    set_lane(scales, step.step, lane(heads.scales[position][step.kv / kScales], step.kv % kScales));
  }
}

// The tiles of the blocks that the recent positions fill.
template <typename SHAPE, int CHUNK>
inline void give_tiles(const RecentHeads<SHAPE, CHUNK>& heads, int recents, Port<Word>& tiles) {
  using Of = Squares<SHAPE>;
  const int end = recents / kBlock * kBlock;
  Square square;
  STB_PARTITION(square.at, 1)
  STB_PARTITION(square.at, 2)
  Word scales = zero_word();
  STB_ENTER(kMoveDepth)
tile_steps:
  for (TileOut step = {0, 0, 0, 0}; step.position < end; step = step_after<SHAPE>(step)) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const int out = step.step - Of::positions(step.square);
    if (out < 0) {
      fill_square(heads, step, square, scales);
    } else {
      tiles.write(step.square < Of::kScaleWords ? square_word(square, out) : scales);
    }
  }
}

// A step through what the other processes get of each head. A step of kDots is 64 products.
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
  next.j = step.j + 1;
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

inline int32_t dot_words(const Word& a, const Word& b) {
  int32_t sum = 0;
word_products:
  for (int l = 0; l < kWordBytes; ++l) {
    STB_UNROLL
    sum += static_cast<int16_t>(signed_byte(a, l)) * static_cast<int16_t>(signed_byte(b, l));
  }
  return sum;
}

// All heads: queries for the engine, scales, dot products with the recent keys, the recent values.
template <typename SHAPE, int CHUNK>
inline void give_heads(const RecentHeads<SHAPE, CHUNK>& heads, const HeadSizes& sizes, Port<Word>& queries,
                       Port<Word>& scales, Port<Word>& dots, Port<Word>& values) {
  Word lanes = zero_word();
  int32_t sum = 0;
  STB_ENTER(kMultiplyDepth)
head_steps:
  for (HeadOut step = {sizes.blocks ? HeadOut::kQueries : HeadOut::kQueryScales, 0, 0, 0, 0, 0};
       step.kv < SHAPE::kKvHeads; step = step_after<SHAPE>(step, sizes)) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    const int row = step.t * SHAPE::kKvHeads + step.kv;
    const int recent = step.j * SHAPE::kKvHeads + step.kv;
    const int at = step.j % kLanes;
    const bool ends = at == kLanes - 1 || step.j == sizes.recents - 1;
    if (at == 0 && step.word == 0) lanes = zero_word();
    if (step.part == HeadOut::kQueries) {
      queries.write(half_of(heads.q.words[row][step.shared][step.word / 2], step.word % 2));
    } else if (step.part == HeadOut::kQueryScales) {
      set_lane(lanes, at, heads.q.m[row][step.shared] | (heads.q.e[row][step.shared] << 8));
      const bool last = step.t == sizes.tokens - 1 && step.shared == SHAPE::kShared - 1;
      if (last || at == kLanes - 1) scales.write(lanes);
    } else if (step.part == HeadOut::kRecentScales) {
      set_lane(lanes, at, lane(heads.scales[step.j][step.kv / kScales], step.kv % kScales));
      if (ends) scales.write(lanes);
    } else if (step.part == HeadOut::kDots) {
      const int32_t dot =
          dot_words(heads.q.words[row][step.shared][step.word], heads.key.words[recent][0][step.word]);
      sum = dot + (step.word == 0 ? 0 : sum);
      set_lane(lanes, at, sum);
      if (ends && step.word == SHAPE::kWords - 1) dots.write(lanes);
    } else {
      values.write(heads.value.words[recent][0][step.word]);
    }
  }
}

// q: HEADS * HEAD_DIM elements a token, k and v: KV_HEADS * HEAD_DIM, all with 16 fraction bits. Per run, in
// this order: q, k and v come in, all of the launch each; the launch's records go to kv_k_out and kv_v_out,
// those of the positions between the last full block and the launch come from kv_k_in, then kv_v_in; the
// tiles of the blocks that the launch completes go to `tiles`. Then, head of k and v by head: `queries` (if
// there are full blocks; of each row, a token's query head, ceil(HEAD_DIM / 32) words of 32 int8), `scales`
// (16 rows' m, e, 0, 0 in a word, then 16 recent positions' m_k, e_k, m_v, e_v), `dots` (of each row the dot
// products with the recent keys, 16 a word), `values` (the recent ones, int8).
template <int RUNS, int HEADS, int KV_HEADS, int HEAD_DIM, int CHUNK, typename WINDOWS = WholeContext>
void attention_heads(Port<Cmd>& cmd, Port<Word>& q, Port<Word>& k, Port<Word>& v, Port<Word>& kv_k_in,
                     Port<Word>& kv_v_in, Port<Word>& kv_k_out, Port<Word>& kv_v_out, Port<Word>& tiles,
                     Port<Word>& queries, Port<Word>& scales, Port<Word>& dots, Port<Word>& values) {
  using Shape = HeadShape<HEADS, KV_HEADS, HEAD_DIM>;
  const Cmd c = cmd.read();
  const int tokens = cmd_tokens(c);
  RecentHeads<Shape, CHUNK> heads;
  lay_out(heads);
heads_runs:
  for (int run = 0; run < RUNS; ++run) {
    const KvBlocks kv = blocks_of(static_cast<int>(cmd_pos(c)), tokens, WINDOWS::at(run));
    take_launch(heads, tokens, kv.recent_old, q, k, v);
    give_own_records(heads, tokens, kv.recent_old, kv_k_out, kv_v_out);
    take_records(heads, kv.recent_old, kv_k_in, kv_v_in);
    give_tiles(heads, kv.recents, tiles);
    give_heads(heads, HeadSizes{tokens, kv.recents, kv.blocks > 0}, queries, scales, dots, values);
  }
}

}  // namespace stb
