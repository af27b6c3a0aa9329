// Greedy sampling.
#pragma once

#include "stb/lanes.hpp"

namespace stb {

// The largest element so far, and the first place where it stood.
struct Best {
  int32_t value;
  int32_t index;
};

// The better of `best` and the first VALID - first elements of w, which begins at index `first`.
template <int VALID>
inline Best better(const Best& best, const Word& w, int first) {
  Best b = best;
better_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const bool wins = first + l < VALID && lane(w, l) > b.value;
    b.value = wins ? lane(w, l) : b.value;
    b.index = wins ? first + l : b.index;
  }
  return b;
}

// Passes the WORDS words of the head token's logits on, then writes one word with the lowest index of the
// largest of the first VALID of them in lane 0. Lag: none for `logits`, one vector for `token`.
template <int WORDS, int VALID = WORDS * kLanes>
void argmax(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& logits, Port<Word>& token) {
  static_assert(VALID > 0 && VALID <= WORDS * kLanes, "the valid logits lie within the words");
  if (role_tokens<1>(cmd.read()) == 0) return;
  Best best = {-2147483647 - 1, 0};
argmax_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word w = x.read();
    best = better<VALID>(best, w, kLanes * i);
    logits.write(w);
  }
  Word w = zero_word();
  set_lane(w, 0, best.index);
  token.write(w);
}

}  // namespace stb
