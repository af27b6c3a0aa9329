// Greedy sampling.
#pragma once

#include "stb/lanes.hpp"

namespace stb {

constexpr int32_t kNothing = -2147483647 - 1;  // below every element of a vector

// The largest element of each lane so far, and the first place where it stood.
struct LaneBests {
  int32_t value[kLanes];
  int32_t index[kLanes];
};

// Takes in the first VALID - first elements of w, which begins at index `first`.
template <int VALID>
inline void raise_bests(LaneBests& best, const Word& w, int first) {
best_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int32_t x = first + l < VALID ? lane(w, l) : kNothing;
    const bool wins = x > best.value[l];
    best.value[l] = wins ? x : best.value[l];
    best.index[l] = wins ? first + l : best.index[l];
  }
}

// The lowest index among the largest elements: a tree over the lanes.
inline int32_t index_of_best(LaneBests best) {
index_halves:
  for (int half = kLanes / 2; half > 0; half /= 2) {
    STB_UNROLL
  index_pairs:
    for (int l = 0; l < half; ++l) {
      STB_UNROLL
      const int other = l + half;
      const bool equal = best.value[other] == best.value[l];
      const bool wins = best.value[other] > best.value[l] || (equal && best.index[other] < best.index[l]);
      best.value[l] = wins ? best.value[other] : best.value[l];
      best.index[l] = wins ? best.index[other] : best.index[l];
    }
  }
  return best.index[0];
}

// Passes the WORDS words of the head token's logits on, then writes one word with the lowest index of the
// largest of the first VALID of them in lane 0. Lag: none for `logits`, one vector for `token`.
template <int WORDS, int VALID = WORDS * kLanes>
void argmax(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& logits, Port<Word>& token) {
  static_assert(VALID > 0 && VALID <= WORDS * kLanes, "the valid logits lie within the words");
  if (role_tokens<1>(cmd.read()) == 0) return;
  LaneBests best;
no_bests:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    best.value[l] = kNothing;
    best.index[l] = 0;
  }
  STB_ENTER(kAddDepth)
argmax_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word w = x.read();
    raise_bests<VALID>(best, w, kLanes * i);
    logits.write(w);
  }
  Word w = zero_word();
  set_lane(w, 0, index_of_best(best));
  token.write(w);
}

}  // namespace stb
