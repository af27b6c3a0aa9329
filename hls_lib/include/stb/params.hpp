// Elementwise arithmetic with parameters: a bias, a scale per channel.
// Per run, WIDTH/16 words come from `params` (also when the run has no token), each before the first token's
// word that needs it, and stay on chip. No lag.
#pragma once

#include "stb/pointwise.hpp"

namespace stb {

struct AddWords {
  enum : int { kDepth = kAddParamDepth };
  static Word of(const Word& x, const Word& param) { return add_words(x, param); }
};

template <int SHIFT>
struct MulWords {
  enum : int { kDepth = kMulParamDepth };
  static Word of(const Word& x, const Word& param) { return mul_words<SHIFT>(x, param); }
};

// One loop over the words of all runs and tokens; a run without a token takes its parameters all the same.
template <typename FUNCTION, int RUNS, int WORDS>
void apply_params(int tokens, Port<Word>& x, Port<Word>& params, Port<Word>& y) {
  Word param[WORDS];
  STB_BIND(param, bram)
  STB_DISTANCE(param, WORDS)
  const int turns = RUNS * (tokens > 0 ? tokens : 1);
  int token = 0;
  int word = 0;
  STB_ENTER(FUNCTION::kDepth)
apply_words:
  for (int i = 0; i < turns * WORDS; ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    const Word p = token == 0 ? params.read() : param[word];
    if (token == 0) param[word] = p;
    if (tokens > 0) y.write(FUNCTION::of(x.read(), p));
    const bool last = word == WORDS - 1;
    word = last ? 0 : word + 1;
    token = !last ? token : token + 1 < tokens ? token + 1 : 0;
  }
}

// x + param.
template <int RUNS, int ROLE, int WIDTH>
void add_param(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& params, Port<Word>& y) {
  static_assert(WIDTH % kLanes == 0, "the width of a vector is a multiple of 16");
  apply_params<AddWords, RUNS, WIDTH / kLanes>(role_tokens<ROLE>(cmd.read()), x, params, y);
}

// x * param, shifted right by SHIFT = f_x + 16 - f_y.
template <int RUNS, int ROLE, int WIDTH, int SHIFT>
void mul_param(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& params, Port<Word>& y) {
  static_assert(WIDTH % kLanes == 0, "the width of a vector is a multiple of 16");
  apply_params<MulWords<SHIFT>, RUNS, WIDTH / kLanes>(role_tokens<ROLE>(cmd.read()), x, params, y);
}

}  // namespace stb
