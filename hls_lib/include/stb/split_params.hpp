// Parameters of several processes of a kernel, which come in one stream: one port of the kernel, not one
// each.
#pragma once

#include "stb/plumbing.hpp"

namespace stb {

// A block: RUNS runs, in each of them WORDS words for each of its processes.
template <int RUNS, int... WORDS>
struct ParamRuns {};

template <int... WORDS>
struct ParamWords {};

template <typename... Outs>
void split_run(ParamWords<>, Port<Word>&, Outs&...) {}
template <int FIRST, int... REST, typename... Outs>
void split_run(ParamWords<FIRST, REST...>, Port<Word>& in, Port<Word>& out, Outs&... outs) {
  move_words(in, out, FIRST);
  split_run(ParamWords<REST...>(), in, outs...);
}

// The blocks of a launch one behind the other, each with ports of its own.
template <typename... BLOCKS>
struct ParamBlocks {
  template <typename... Outs>
  static void split(Port<Word>&, Outs&...) {}
};

// The blocks behind one of whose ports SKIP are left.
template <int SKIP, typename... BLOCKS>
struct BlocksBehind {
  template <typename... Outs>
  static void split(Port<Word>& in, Port<Word>&, Outs&... outs) {
    BlocksBehind<SKIP - 1, BLOCKS...>::split(in, outs...);
  }
};
template <typename... BLOCKS>
struct BlocksBehind<0, BLOCKS...> : ParamBlocks<BLOCKS...> {};

template <int RUNS, int... WORDS, typename... BLOCKS>
struct ParamBlocks<ParamRuns<RUNS, WORDS...>, BLOCKS...> {
  template <typename... Outs>
  static void split(Port<Word>& in, Outs&... outs) {
  runs:
    for (int run = 0; run < RUNS; ++run) split_run(ParamWords<WORDS...>(), in, outs...);
    BlocksBehind<sizeof...(WORDS), BLOCKS...>::split(in, outs...);
  }
};

// The words of `in`, in the order of BLOCKS, each to the port of its process. Lag: none.
template <typename BLOCKS, typename... Outs>
void split_params(Port<Word>& in, Outs&... outs) {
  BLOCKS::split(in, outs...);
}

}  // namespace stb
