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

template <int HEAD_DIM, int ROTARY_DIM, bool INTERLEAVED>
struct RotaryShape {
  static_assert(HEAD_DIM % kLanes == 0, "the dimension of a head is a multiple of 16");
  static_assert(ROTARY_DIM % 8 == 0, "the rotated part of a head is a multiple of 8");
  static_assert(ROTARY_DIM <= HEAD_DIM, "the rotated part of a head is no larger than the head");
  enum : int {
    kWords = HEAD_DIM / kLanes,
    kRotated = ROTARY_DIM,
    kHalf = ROTARY_DIM / 2,
    kRowWords = 2 * ROTARY_DIM / kLanes,
    kAligned = !INTERLEAVED && kHalf % kLanes == 0  // an element and its partner lie in the same lane
  };
  // Of a pair (a, b) the one that element e is rotated with, and whether e is b.
  static int partner(int e) { return INTERLEAVED ? e ^ 1 : e < kHalf ? e + kHalf : e - kHalf; }
  static bool is_second(int e) { return INTERLEAVED ? (e & 1) != 0 : e >= kHalf; }
};

// Element e of words whose elements follow each other; 0 behind them.
template <int WORDS>
inline int32_t element(const Word (&words)[WORDS], int e) {
  return e < WORDS * kLanes ? lane(words[e / kLanes], e % kLanes) : 0;
}

// The partners of the elements of word w: (-b, a) of each pair (a, b).
template <typename SHAPE>
inline Word partners(const Word (&head)[SHAPE::kWords], int w) {
  const bool second = w * kLanes >= SHAPE::kHalf;
  const Word aligned =
      head[SHAPE::kAligned ? (second ? w - SHAPE::kHalf / kLanes : w + SHAPE::kHalf / kLanes) : w];
  Word y;
partner_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int e = kLanes * w + l;
    const int32_t p = SHAPE::kAligned ? lane(aligned, l) : element(head, SHAPE::partner(e));
    set_lane(y, l, (SHAPE::kAligned ? second : SHAPE::is_second(e)) ? p : -p);
  }
  return y;
}

constexpr int kEntryBits = 18;  // of cos and sin: with 14 fraction bits they lie within +-8 (stbuild/pack)

// Elements first..first+15 of a row; 0 behind it.
template <int WORDS>
inline Word part_of_row(const Word (&row)[WORDS], int first) {
  Word y;
row_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    set_lane(y, l, element(row, first + l));
  }
  return y;
}

// Word w of a head of which the first elements are rotated: row = cos of all of them, then sin.
template <typename SHAPE>
inline Word rotated_word(const Word (&head)[SHAPE::kWords], const Word (&row)[SHAPE::kRowWords], int w) {
  const Word x = head[w];
  if (w * kLanes >= SHAPE::kRotated) return x;
  const bool whole = SHAPE::kRotated % kLanes == 0;
  const Word cos = row[w];
  const Word sin = whole ? row[w + SHAPE::kRotated / kLanes] : part_of_row(row, kLanes * w + SHAPE::kRotated);
  const Word other = partners<SHAPE>(head, w);
  Word y;
rotate_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int64_t sum = static_cast<int64_t>(lane(x, l)) * narrow<kEntryBits>(lane(cos, l)) +
                        static_cast<int64_t>(lane(other, l)) * narrow<kEntryBits>(lane(sin, l));
    const int32_t turned = sat(round_shift(sum, 14));
    set_lane(y, l, whole || kLanes * w + l < SHAPE::kRotated ? turned : lane(x, l));
  }
  return y;
}

// A step through a launch: words of a head that come in, then the same that go out; head after head.
struct RotaryStep {
  int word;
  bool out;
  int head;
  int token;
  int run;
};

template <int WORDS, int HEADS>
inline RotaryStep step_after(const RotaryStep& step, int tokens) {
  if (step.word + 1 < WORDS) return RotaryStep{step.word + 1, step.out, step.head, step.token, step.run};
  if (!step.out) return RotaryStep{0, true, step.head, step.token, step.run};
  if (step.head + 1 < HEADS) return RotaryStep{0, false, step.head + 1, step.token, step.run};
  if (step.token + 1 < tokens) return RotaryStep{0, false, 0, step.token + 1, step.run};
  return RotaryStep{0, false, 0, 0, step.run + 1};
}

// x, y: HEADS * HEAD_DIM elements a token. Once per launch, one row of 2 * ROTARY_DIM elements (14
// fraction bits) of each table, table after table, comes from `table` per token and stays on chip for all
// runs. Lag: one head.
template <int RUNS, int ROLE, int HEADS, int HEAD_DIM, int ROTARY_DIM, bool INTERLEAVED, int CHUNK,
          typename TABLES = OneTable>
void rotary(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& table, Port<Word>& y) {
  using Shape = RotaryShape<HEAD_DIM, ROTARY_DIM, INTERLEAVED>;
  const int tokens = role_tokens<ROLE>(cmd.read());
  Word rows[CHUNK * TABLES::kTables][Shape::kRowWords];
  Word head[Shape::kWords];
  STB_PARTITION(rows, 2)
  STB_BIND(rows, lutram)
  STB_PARTITION(head, 1)
  STB_ENTER(kMoveDepth)
rotary_rows:
  for (int i = 0; i < tokens * TABLES::kTables; ++i) {
  row_words:
    for (int w = 0; w < Shape::kRowWords; ++w) {
      STB_PIPELINE(1)
      STB_TICK(1)
      rows[i][w] = table.read();
    }
  }
  RotaryStep step = {0, false, 0, 0, 0};
  STB_ENTER(kRotaryDepth)
rotary_words:
  for (int i = 0; i < RUNS * tokens * HEADS * 2 * Shape::kWords; ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    const int row = step.token * TABLES::kTables + TABLES::at(step.run);
    if (step.out) {
      y.write(rotated_word<Shape>(head, rows[row], step.word));
    } else {
      head[step.word] = x.read();
    }
    step = step_after<Shape::kWords, HEADS>(step, tokens);
  }
}

}  // namespace stb
