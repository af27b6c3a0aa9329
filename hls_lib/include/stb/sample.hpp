// Greedy sampling.
#pragma once

#include "stb/lanes.hpp"

namespace stb {

// The largest element so far, and the first place where it stood.
struct Best {
  int32_t value;
  int32_t index;
};

constexpr int32_t kNothing = -2147483647 - 1;  // below every element of a vector

// The better of two; `a` stood before `b`.
inline Best better(const Best& a, const Best& b) { return b.value > a.value ? b : a; }

// The best of the first VALID - first elements of w, which begins at index `first`: a tree.
template <int VALID>
inline Best best_of(const Word& w, int first) {
  Best best[kLanes];
best_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    best[l] = Best{first + l < VALID ? lane(w, l) : kNothing, first + l};
  }
best_halves:
  for (int step = 1; step < kLanes; step *= 2) {
    STB_UNROLL
  best_pairs:
    for (int l = 0; l < kLanes; l += 2 * step) {
      STB_UNROLL
      best[l] = better(best[l], best[l + step]);
    }
  }
  return best[0];
}

// Passes the WORDS words of the head token's logits on, then writes one word with the lowest index of the
// largest of the first VALID of them in lane 0. Lag: none for `logits`, one vector for `token`.
template <int WORDS, int VALID = WORDS * kLanes>
void argmax(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& logits, Port<Word>& token) {
  static_assert(VALID > 0 && VALID <= WORDS * kLanes, "the valid logits lie within the words");
  if (role_tokens<1>(cmd.read()) == 0) return;
  Best best = {kNothing, 0};
  STB_ENTER(kTreeDepth)
argmax_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word w = x.read();
    best = better(best, best_of<VALID>(w, kLanes * i));
    logits.write(w);
  }
  Word w = zero_word();
  set_lane(w, 0, best.index);
  token.write(w);
}

}  // namespace stb
