// Elementwise arithmetic with parameters: a bias, a scale per channel.
// Per run, WIDTH/16 words come from `params` (also when the run has no token) and stay on chip. No lag.
#pragma once

#include "stb/pointwise.hpp"

namespace stb {

// x + param.
template <int RUNS, int ROLE, int WIDTH>
void add_param(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& params, Port<Word>& y) {
  static_assert(WIDTH % kLanes == 0, "the width of a vector is a multiple of 16");
  const int tokens = role_tokens<ROLE>(cmd.read());
  Word param[WIDTH / kLanes];
add_param_runs:
  for (int run = 0; run < RUNS; ++run) {
    read_n(params, param, WIDTH / kLanes);
  add_param_tokens:
    for (int t = 0; t < tokens; ++t) {
    add_param_words:
      for (int i = 0; i < WIDTH / kLanes; ++i) {
        STB_FLUSHABLE(1)
        STB_TICK(1)
        y.write(add_words(x.read(), param[i]));
      }
    }
  }
}

// x * param, shifted right by SHIFT = f_x + 16 - f_y.
template <int RUNS, int ROLE, int WIDTH, int SHIFT>
void mul_param(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& params, Port<Word>& y) {
  static_assert(WIDTH % kLanes == 0, "the width of a vector is a multiple of 16");
  const int tokens = role_tokens<ROLE>(cmd.read());
  Word param[WIDTH / kLanes];
mul_param_runs:
  for (int run = 0; run < RUNS; ++run) {
    read_n(params, param, WIDTH / kLanes);
  mul_param_tokens:
    for (int t = 0; t < tokens; ++t) {
    mul_param_words:
      for (int i = 0; i < WIDTH / kLanes; ++i) {
        STB_FLUSHABLE(1)
        STB_TICK(1)
        y.write(mul_words<SHIFT>(x.read(), param[i]));
      }
    }
  }
}

}  // namespace stb
