// Elementwise arithmetic on vectors: sums, products, linear functions, changes of fraction bits.
// Every process takes vectors of WIDTH elements as WIDTH/16 words and gives one word for one word: no lag.
#pragma once

#include "stb/lanes.hpp"

namespace stb {

inline Word add_words(const Word& a, const Word& b) {
  Word y;
add_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    set_lane(y, l, sat(static_cast<int64_t>(lane(a, l)) + lane(b, l)));
  }
  return y;
}

template <int SHIFT>
inline Word mul_words(const Word& a, const Word& b) {
  Word y;
mul_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    set_lane(y, l, sat(rsr(static_cast<int64_t>(lane(a, l)) * lane(b, l), SHIFT)));
  }
  return y;
}

// x * MULTIPLIER * 2^-SHIFT + ADDEND.
template <int64_t MULTIPLIER, int SHIFT, int64_t ADDEND>
inline Word affine_word(const Word& x) {
  Word y;
affine_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    set_lane(y, l, sat(rsr(lane(x, l) * MULTIPLIER, SHIFT) + ADDEND));
  }
  return y;
}

// a + b. Hangs if one operand's FIFO fills before the other's first word can come: size them together.
template <int RUNS, int ROLE, int WIDTH>
void add(Port<Cmd>& cmd, Port<Word>& a, Port<Word>& b, Port<Word>& y) {
  static_assert(WIDTH % kLanes == 0, "the width of a vector is a multiple of 16");
  const int tokens = role_tokens<ROLE>(cmd.read());
  STB_ENTER(kAddDepth)
add_words_loop:
  for (int i = 0; i < RUNS * tokens * (WIDTH / kLanes); ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    const Word wa = a.read();
    const Word wb = b.read();
    y.write(add_words(wa, wb));
  }
}

// a * b, shifted right by SHIFT = f_a + f_b - f_y.
template <int RUNS, int ROLE, int WIDTH, int SHIFT>
void mul(Port<Cmd>& cmd, Port<Word>& a, Port<Word>& b, Port<Word>& y) {
  static_assert(WIDTH % kLanes == 0, "the width of a vector is a multiple of 16");
  const int tokens = role_tokens<ROLE>(cmd.read());
  STB_ENTER(kMultiplyDepth)
mul_words_loop:
  for (int i = 0; i < RUNS * tokens * (WIDTH / kLanes); ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    const Word wa = a.read();
    const Word wb = b.read();
    y.write(mul_words<SHIFT>(wa, wb));
  }
}

// A linear function with constants of the graph; SHIFT includes f_x - f_y.
template <int RUNS, int ROLE, int WIDTH, int64_t MULTIPLIER, int SHIFT, int64_t ADDEND>
void affine(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& y) {
  static_assert(WIDTH % kLanes == 0, "the width of a vector is a multiple of 16");
  const int tokens = role_tokens<ROLE>(cmd.read());
  STB_ENTER(kMultiplyDepth)
affine_words_loop:
  for (int i = 0; i < RUNS * tokens * (WIDTH / kLanes); ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    y.write(affine_word<MULTIPLIER, SHIFT, ADDEND>(x.read()));
  }
}

// The same number with SHIFT = f_x - f_y fewer fraction bits.
template <int RUNS, int ROLE, int WIDTH, int SHIFT>
void rescale(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& y) {
  affine<RUNS, ROLE, WIDTH, 1, SHIFT, 0>(cmd, x, y);
}

}  // namespace stb
