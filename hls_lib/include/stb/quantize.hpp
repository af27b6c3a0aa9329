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

// The smallest scale under which a group whose largest magnitude is `amax` fits +-127.
inline Scale scale_of(uint32_t amax) {
  const uint64_t q = (128 * static_cast<uint64_t>(amax) + 126) / 127;
  const int e = q < 128 ? 0 : bitlen(q) - 8;
  const int m = q < 128 ? 128 : static_cast<int>((q + (uint64_t(1) << e) - 1) >> e);
  return m == 256 ? Scale{128, e + 1} : Scale{m, e};
}

// One element in units of the scale with exponent `e` and reciprocal mantissa `r`.
constexpr int32_t quantized(int32_t x, int32_t r, int e) {
  return static_cast<int32_t>(clamp(round_shift(static_cast<int64_t>(x) * r, 15 + e), 127));
}

// The largest magnitude among the elements of WORDS words.
template <int WORDS>
inline uint32_t largest(const Word (&x)[WORDS]) {
  uint32_t amax = 0;
largest_words:
  for (int i = 0; i < WORDS; ++i) {
  largest_lanes:
    for (int l = 0; l < kLanes; ++l) {
      STB_UNROLL
      const uint32_t a = magnitude(lane(x[i], l));
      amax = a > amax ? a : amax;
    }
  }
  return amax;
}

// Two words of elements as one quantised group.
inline Word quantize_group(const Word (&x)[2]) {
  const Scale scale = scale_of(largest(x));
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
