// Quantisation of vectors to int8 with one scale per 32 elements.
#pragma once

#include "stb/lanes.hpp"
#include "stb/tables.hpp"

namespace stb {

// The scale m * 2^(e-7) of a group: 128 <= m <= 255, 0 <= e <= 24.
struct Scale {
  int m;
  int e;
};

// floor(n / 127) for n < 2^31 + 127, by a factor that is 119 / 2^38 too large.
constexpr uint64_t over_127(uint64_t n) { return (n * 2164392969u) >> 38; }

// The smallest scale under which a group whose largest magnitude is `amax` fits +-127.
inline Scale scale_of(uint32_t amax) {
  const uint64_t q = amax + over_127(static_cast<uint64_t>(amax) + 126);  // (128 * amax + 126) / 127
  const int e = q < 128 ? 0 : bitlen(q) - 8;
  const int m = q < 128 ? 128 : static_cast<int>((q + (uint64_t(1) << e) - 1) >> e);
  return m == 256 ? Scale{128, e + 1} : Scale{m, e};
}

// One element in units of the scale with exponent `e` and reciprocal mantissa `r`.
constexpr int32_t quantized(int32_t x, int32_t r, int e) {
  return static_cast<int32_t>(clamp(round_shift(static_cast<int64_t>(x) * r, 15 + e), 127));
}

// tops[l] becomes the larger of itself and the magnitude of lane l; of the magnitude alone if `first`.
inline void raise_tops(uint32_t (&tops)[kLanes], const Word& x, bool first) {
top_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const uint32_t a = magnitude(lane(x, l));
    tops[l] = first || a > tops[l] ? a : tops[l];
  }
}

// Two words of elements as one quantised group.
inline Word quantize_group(const Word (&x)[2]) {
  uint32_t tops[kLanes] = {};
  raise_tops(tops, x[0], true);
  raise_tops(tops, x[1], false);
  const Scale scale = scale_of(largest_of(tops));
  const int32_t r = kReciprocal[scale.m - 128];
  Word y = zero_word();
group_words:
  for (int i = 0; i < 2; ++i) {
  group_lanes:
    for (int l = 0; l < kLanes; ++l) {
      STB_UNROLL
      set_byte(y, kLanes * i + l, static_cast<uint8_t>(quantized(lane(x[i], l), r, scale.e)));
    }
  }
  set_byte(y, 32, static_cast<uint8_t>(scale.m));
  set_byte(y, 33, static_cast<uint8_t>(scale.e));
  return y;
}

// x: vectors of WIDTH elements, WIDTH/16 words; y: WIDTH/32 words, bytes 0..31 the values, 32 m, 33 e.
// Lag: none (one group).
template <int RUNS, int ROLE, int WIDTH>
void quantize(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& y) {
  static_assert(WIDTH % kGroup == 0, "the width of a quantised vector is a multiple of 32");
  const int tokens = role_tokens<ROLE>(cmd.read());
  STB_ENTER(kQuantizeDepth)
quantize_groups:
  for (int g = 0; g < RUNS * tokens * (WIDTH / kGroup); ++g) {
    STB_FLUSHABLE(2)
    STB_TICK(2)
    Word group[2];
    group[0] = x.read();
    group[1] = x.read();
    y.write(quantize_group(group));
  }
}

}  // namespace stb
