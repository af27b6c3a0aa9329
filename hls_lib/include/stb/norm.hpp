// RMS norm and layer norm of every segment of a vector.
#pragma once

#include "stb/quantize.hpp"

namespace stb {

constexpr int kRootCycles = 140;  // modelled: a square root bit by bit, a 64-bit division

// What a segment's elements are multiplied by: n = round_shift(x * factor, shift), 20 fraction bits.
struct InverseRoot {
  int64_t factor;
  int shift;
};

constexpr int64_t floor_div(int64_t a, int64_t b) {
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

// Subtracts the mean from each element of `words` words.
template <int WORDS>
inline void center(Word (&x)[WORDS]) {
  int64_t sum = 0;
sum_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_PIPELINE(1)
  sum_lanes:
    for (int l = 0; l < kLanes; ++l) {
      STB_UNROLL
      sum += lane(x[i], l);
    }
  }
  const int64_t mean = floor_div(sum + WORDS * kLanes / 2, WORDS * kLanes);
center_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_PIPELINE(1)
  center_lanes:
    for (int l = 0; l < kLanes; ++l) {
      STB_UNROLL
      set_lane(x[i], l, sat(lane(x[i], l) - mean));
    }
  }
}

// The sum of squares of x >> h; h leaves at most 23 bits.
template <int WORDS>
inline int64_t sum_of_squares(const Word (&x)[WORDS], int h) {
  int64_t sum = 0;
square_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_PIPELINE(1)
  square_lanes:
    for (int l = 0; l < kLanes; ++l) {
      STB_UNROLL
      const int32_t y = lane(x[i], l) >> h;
      sum += static_cast<int64_t>(y) * y;
    }
  }
  return sum;
}

// One over the root of the mean square plus EPS.
template <int WORDS, int64_t EPS>
inline InverseRoot inverse_root(const Word (&x)[WORDS]) {
  const int excess = bitlen(largest(x)) - 23;
  const int h = excess > 0 ? excess : 0;
  const int64_t mean = sum_of_squares(x, h) / (WORDS * kLanes) + (EPS >> (2 * h));
  const uint64_t v = mean > 0 ? static_cast<uint64_t>(mean) : 1;
  const int z = (62 - bitlen(v)) & ~1;
  const uint64_t root = isqrt(v << z);
  return InverseRoot{static_cast<int64_t>(((uint64_t(1) << 61) / root) >> 7), 34 + h - z / 2};
}

// A word of the result, with weight (16 fraction bits) and bias (FOUT fraction bits).
template <int FOUT>
inline Word norm_word(const Word& x, const InverseRoot& by, const Word& weight, const Word& bias) {
  Word y;
norm_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int32_t n = static_cast<int32_t>(round_shift(lane(x, l) * by.factor, by.shift));
    const int64_t scaled = round_shift(static_cast<int64_t>(n) * lane(weight, l), 36 - FOUT);
    set_lane(y, l, sat(scaled + lane(bias, l)));
  }
  return y;
}

// One segment: in, normalised, out.
template <int WORDS, bool CENTER, int FOUT, int64_t EPS>
inline void norm_segment(Port<Word>& x, const Word (&weight)[WORDS], const Word (&bias)[WORDS],
                         Port<Word>& y) {
  Word segment[WORDS];
  read_n(x, segment, WORDS);
  if (CENTER) center(segment);
  STB_TICK((CENTER ? 2 * WORDS : 0) + 2 * WORDS + kRootCycles)
  const InverseRoot by = inverse_root<WORDS, EPS>(segment);
norm_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    y.write(norm_word<FOUT>(segment[i], by, weight[i], bias[i]));
  }
}

inline Word splat(int32_t value) {
  Word w;
splat_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    set_lane(w, l, value);
  }
  return w;
}

// Biases of 16 fraction bits come in; FOUT of them stay.
template <int WORDS, int FOUT>
inline void read_biases(Port<Word>& params, Word (&bias)[WORDS]) {
bias_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word raw = params.read();
  bias_lanes:
    for (int l = 0; l < kLanes; ++l) {
      STB_UNROLL
      set_lane(bias[i], l, sat(rsr(lane(raw, l), 16 - FOUT)));
    }
  }
}

template <int WIDTH, int SEGMENT, int FIN, int FOUT, int64_t EPS>
inline void check_norm() {
  static_assert(SEGMENT % kLanes == 0, "the segment of a norm is a multiple of 16");
  static_assert(WIDTH % SEGMENT == 0, "the width of a norm is a multiple of its segment");
  static_assert(SEGMENT <= 65536, "the segment of a norm is at most 65,536: n stays within 32 bits");
  static_assert(FIN >= 0 && FOUT >= 0 && FOUT <= 30, "fraction bits lie between 0 and 30");
  static_assert(EPS >= 0 && EPS < (int64_t(1) << 60), "EPS leaves the mean square within 62 bits");
}

// `count` segments with the same weight and bias.
template <int WORDS, bool CENTER, int FOUT, int64_t EPS>
inline void norm_segments(int count, Port<Word>& x, const Word (&weight)[WORDS], const Word (&bias)[WORDS],
                          Port<Word>& y) {
norm_segments:
  for (int s = 0; s < count; ++s) norm_segment<WORDS, CENTER, FOUT, EPS>(x, weight, bias, y);
}

// What a norm without a weight multiplies by, and what one without a bias adds.
template <int WORDS>
inline void fill(Word (&words)[WORDS], int32_t value) {
fill_words:
  for (int i = 0; i < WORDS; ++i) words[i] = splat(value);
}

// x: WIDTH/16 words of FIN fraction bits; y: as many of FOUT. Each SEGMENT elements are normalised
// on their own; CENTER makes it a layer norm; EPS has 2 * FIN fraction bits. Per run, also when the run
// has no token, SEGMENT/16 words of weights, then of biases, come from `params`. Lag: one segment.
template <int RUNS, int ROLE, int WIDTH, int SEGMENT, bool CENTER, int FIN, int FOUT, bool HAS_WEIGHT,
          bool HAS_BIAS, int64_t EPS>
void norm(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& params, Port<Word>& y) {
  check_norm<WIDTH, SEGMENT, FIN, FOUT, EPS>();
  const int words = SEGMENT / kLanes;
  const int count = role_tokens<ROLE>(cmd.read()) * (WIDTH / SEGMENT);
  Word weight[words];
  Word bias[words];
  fill(weight, 65536);
  fill(bias, 0);
norm_runs:
  for (int run = 0; run < RUNS; ++run) {
    if (HAS_WEIGHT) read_n(params, weight, words);
    if (HAS_BIAS) read_biases<words, FOUT>(params, bias);
    norm_segments<words, CENTER, FOUT, EPS>(count, x, weight, bias, y);
  }
}

// The same without parameters.
template <int RUNS, int ROLE, int WIDTH, int SEGMENT, bool CENTER, int FIN, int FOUT, bool HAS_WEIGHT,
          bool HAS_BIAS, int64_t EPS>
void norm(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& y) {
  static_assert(!HAS_WEIGHT && !HAS_BIAS, "a norm with parameters has a port for them");
  check_norm<WIDTH, SEGMENT, FIN, FOUT, EPS>();
  const int words = SEGMENT / kLanes;
  const int count = RUNS * role_tokens<ROLE>(cmd.read()) * (WIDTH / SEGMENT);
  Word weight[words];
  Word bias[words];
  fill(weight, 65536);
  fill(bias, 0);
  norm_segments<words, CENTER, FOUT, EPS>(count, x, weight, bias, y);
}

}  // namespace stb
