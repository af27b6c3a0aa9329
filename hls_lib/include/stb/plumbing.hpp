// Processes that only move words: forks, slices, concatenations, the loop over a block's runs.
#pragma once

#include "stb/lanes.hpp"

namespace stb {

// Writes `value` to PORTS ports at once: each step moves the first port behind the others, with the value.
template <int PORTS>
struct Spread {
  template <typename T, typename First, typename... Rest>
  static void write(const T& value, First& first, Rest&... rest) {
    STB_INLINE
    Spread<PORTS - 1>::write(value, rest..., first, value);
  }
};

template <>
struct Spread<0> {
  template <typename T, typename... Pairs>
  static void write(const T&, Pairs&... pairs) {
    STB_INLINE
    write_all(pairs...);
  }
};

// Moves `count` words.
inline void move_words(Port<Word>& x, Port<Word>& y, int count) {
  STB_ENTER(kMoveDepth)
move_words:
  for (int i = 0; i < count; ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    y.write(x.read());
  }
}

// The words of x on every y, each word on all of them at once. No lag.
template <int RUNS, int ROLE, int WORDS, typename... Ys>
void fork(Port<Cmd>& cmd, Port<Word>& x, Ys&... ys) {
  const int words = RUNS * role_tokens<ROLE>(cmd.read()) * WORDS;
  STB_ENTER(kMoveDepth)
fork_words:
  for (int i = 0; i < words; ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    const Word w = x.read();
    Spread<sizeof...(Ys)>::write(w, ys...);
  }
}

// The command of a launch to every process of a kernel.
template <typename... Outs>
void fan_out(Port<Cmd>& cmd, Outs&... outs) {
  const Cmd c = cmd.read();
  Spread<sizeof...(Outs)>::write(c, outs...);
}

// Elements START to START + WIDTH_OUT of each vector of WIDTH_IN. Lag: none behind the first word kept.
template <int RUNS, int ROLE, int WIDTH_IN, int START, int WIDTH_OUT>
void slice(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& y) {
  static_assert(WIDTH_IN % kLanes == 0, "the width of a vector is a multiple of 16");
  static_assert(START % kLanes == 0 && WIDTH_OUT % kLanes == 0, "a slice begins and ends at multiples of 16");
  static_assert(START >= 0 && START + WIDTH_OUT <= WIDTH_IN, "a slice lies within its vector");
  const int vectors = RUNS * role_tokens<ROLE>(cmd.read());
  STB_ENTER(kMoveDepth)
slice_vectors:
  for (int v = 0; v < vectors; ++v) {
  slice_words:
    for (int i = 0; i < WIDTH_IN / kLanes; ++i) {
      STB_FLUSHABLE(1)
      STB_TICK(1)
      const Word w = x.read();
      if (i >= START / kLanes && i < (START + WIDTH_OUT) / kLanes) y.write(w);
    }
  }
}

// One vector from each part, in turn.
template <int... WIDTHS>
struct Parts;

template <>
struct Parts<> {
  static void move(Port<Word>&) {}
};

template <int WIDTH, int... REST>
struct Parts<WIDTH, REST...> {
  template <typename First, typename... Rest>
  static void move(Port<Word>& y, First& first, Rest&... rest) {
    static_assert(WIDTH % kLanes == 0, "the width of a part is a multiple of 16");
    STB_INLINE
    move_words(first, y, WIDTH / kLanes);
    Parts<REST...>::move(y, rest...);
  }
};

// The vectors of all parts one behind the other. Lag: none, but the FIFO of a later part holds its vector
// until the earlier ones have passed.
template <int RUNS, int ROLE, int... WIDTHS, typename... Ports>
void concat(Port<Cmd>& cmd, Port<Word>& y, Ports&... parts) {
  static_assert(sizeof...(WIDTHS) == sizeof...(Ports), "a concatenation has one width for each part");
  const int vectors = RUNS * role_tokens<ROLE>(cmd.read());
concat_vectors:
  for (int v = 0; v < vectors; ++v) Parts<WIDTHS...>::move(y, parts...);
}

// The input of every run of a block: of the first from `init`, of later ones from `back`. No lag.
template <int RUNS, int WORDS>
void loop_head(Port<Cmd>& cmd, Port<Word>& init, Port<Word>& back, Port<Word>& y) {
  const int words = cmd_tokens(cmd.read()) * WORDS;
  move_words(init, y, words);
  move_words(back, y, (RUNS - 1) * words);
}

// The output of every run of a block: of the last to `exit`, of earlier ones to `back`, which holds a
// whole chunk beyond what the block itself holds, since the block still takes in one run when the next
// begins to come out. No lag.
template <int RUNS, int WORDS>
void loop_tail(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& back, Port<Word>& exit) {
  const int words = cmd_tokens(cmd.read()) * WORDS;
  move_words(x, back, (RUNS - 1) * words);
  move_words(x, exit, words);
}

// Of the launch's vectors the last one, if the head is asked for. Lag: a chunk less one vector.
template <int WORDS>
void take_last(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& y) {
  const Cmd c = cmd.read();
  const int tokens = cmd_tokens(c);
  STB_ENTER(kMoveDepth)
take_tokens:
  for (int t = 0; t < tokens; ++t) {
  take_words:
    for (int i = 0; i < WORDS; ++i) {
      STB_FLUSHABLE(1)
      STB_TICK(1)
      const Word w = x.read();
      if (cmd_head(c) && t == tokens - 1) y.write(w);
    }
  }
}

}  // namespace stb
