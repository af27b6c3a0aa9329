// Rotary position embedding of the heads of a vector.
#pragma once

#include "stb/lanes.hpp"
#include "stb/window.hpp"

namespace stb {

// Tables whose rows lie side by side, and the one that each run uses.
template <int TABLES, typename TABLE_OF_RUN>
struct Tables {
  enum : int { kTables = TABLES };
  static int at(int run) { return TABLE_OF_RUN::at(run); }
};

using OneTable = Tables<1, Always<0>>;

template <int WORDS>
inline void unpack(const Word (&words)[WORDS], int32_t (&x)[WORDS * kLanes]) {
unpack_words:
  for (int i = 0; i < WORDS; ++i) {
  unpack_lanes:
    for (int l = 0; l < kLanes; ++l) {
      STB_UNROLL
      x[kLanes * i + l] = lane(words[i], l);
    }
  }
}

template <int WORDS>
inline void pack(const int32_t (&x)[WORDS * kLanes], Word (&words)[WORDS]) {
pack_words:
  for (int i = 0; i < WORDS; ++i) {
  pack_lanes:
    for (int l = 0; l < kLanes; ++l) {
      STB_UNROLL
      set_lane(words[i], l, x[kLanes * i + l]);
    }
  }
}

// Rotates the first ROTARY_DIM elements of a head: row = cos[ROTARY_DIM], sin[ROTARY_DIM]. A pair is an
// element and the one half of ROTARY_DIM further on, or two neighbours if INTERLEAVED.
template <int HEAD_DIM, int ROTARY_DIM, bool INTERLEAVED>
inline void rotate_head(int32_t (&x)[HEAD_DIM], const int32_t (&row)[2 * ROTARY_DIM]) {
  const int half = ROTARY_DIM / 2;
rotate_pairs:
  for (int i = 0; i < half; ++i) {
    STB_UNROLL
    const int a = INTERLEAVED ? 2 * i : i;
    const int b = INTERLEAVED ? 2 * i + 1 : half + i;
    const int64_t low = x[a];
    const int64_t high = x[b];
    x[a] = sat(round_shift(low * row[a] - high * row[ROTARY_DIM + a], 14));
    x[b] = sat(round_shift(high * row[b] + low * row[ROTARY_DIM + b], 14));
  }
}

// One head: in, rotated, out.
template <int HEAD_DIM, int ROTARY_DIM, bool INTERLEAVED>
inline void rotary_head(Port<Word>& x, const int32_t (&row)[2 * ROTARY_DIM], Port<Word>& y) {
  Word words[HEAD_DIM / kLanes];
  int32_t head[HEAD_DIM];
  read_n(x, words, HEAD_DIM / kLanes);
  unpack(words, head);
  rotate_head<HEAD_DIM, ROTARY_DIM, INTERLEAVED>(head, row);
  pack(head, words);
  write_n(y, words, HEAD_DIM / kLanes);
}

// x, y: HEADS * HEAD_DIM elements a token. Once per launch, one row of 2 * ROTARY_DIM elements (14
// fraction bits) of each table, table after table, comes from `table` per token and stays on chip for all
// runs. Lag: one head.
template <int RUNS, int ROLE, int HEADS, int HEAD_DIM, int ROTARY_DIM, bool INTERLEAVED, int CHUNK,
          typename TABLES = OneTable>
void rotary(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& table, Port<Word>& y) {
  static_assert(HEAD_DIM % kLanes == 0, "the dimension of a head is a multiple of 16");
  static_assert(ROTARY_DIM % 8 == 0, "the rotated part of a head is a multiple of 8");
  static_assert(ROTARY_DIM <= HEAD_DIM, "the rotated part of a head is no larger than the head");
  const int tokens = role_tokens<ROLE>(cmd.read());
  int32_t rows[CHUNK * TABLES::kTables][2 * ROTARY_DIM];
rotary_rows:
  for (int i = 0; i < tokens * TABLES::kTables; ++i) {
    Word words[2 * ROTARY_DIM / kLanes];
    read_n(table, words, 2 * ROTARY_DIM / kLanes);
    unpack(words, rows[i]);
  }
rotary_runs:
  for (int run = 0; run < RUNS; ++run) {
  rotary_tokens:
    for (int t = 0; t < tokens; ++t) {
      const int row = t * TABLES::kTables + TABLES::at(run);
    rotary_heads:
      for (int h = 0; h < HEADS; ++h) rotary_head<HEAD_DIM, ROTARY_DIM, INTERLEAVED>(x, rows[row], y);
    }
  }
}

}  // namespace stb
