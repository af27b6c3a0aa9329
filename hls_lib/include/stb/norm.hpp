// RMS norm and layer norm of every segment of a vector, one vector at a time.
#pragma once

#include "stb/norm_scale.hpp"

namespace stb {

// A word of the result, with weight (16 fraction bits) and bias (FOUT fraction bits); 1 and 0 without them.
template <int FOUT, bool HAS_WEIGHT, bool HAS_BIAS>
inline Word norm_word(const Word& x, int32_t factor, int shift, const Word& weight, const Word& bias) {
  Word y;
norm_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int32_t n =
        static_cast<int32_t>(round_shift(static_cast<int64_t>(lane(x, l)) * narrow<26>(factor), shift));
    const int64_t scaled =
        round_shift(static_cast<int64_t>(n) * (HAS_WEIGHT ? lane(weight, l) : 65536), 36 - FOUT);
    set_lane(y, l, sat(scaled + (HAS_BIAS ? lane(bias, l) : 0)));
  }
  return y;
}

// The words of the result.
template <typename SHAPE, int FOUT, bool HAS_WEIGHT, bool HAS_BIAS>
inline void give_normed(const NormVector<SHAPE>& vector, const Word (&weight)[SHAPE::kSegmentWords],
                        const Word (&bias)[SHAPE::kSegmentWords], Port<Word>& y) {
  SegmentStep step = {0, 0};
  STB_ENTER(kNormGiveDepth)
norm_words:
  for (int i = 0; i < SHAPE::kWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word w = HAS_WEIGHT ? weight[step.word] : zero_word();
    const Word b = HAS_BIAS ? bias[step.word] : zero_word();
    y.write(norm_word<FOUT, HAS_WEIGHT, HAS_BIAS>(vector.words[i], vector.factor[step.segment],
                                                  vector.shift[step.segment], w, b));
    step = step_after<SHAPE::kSegmentWords>(step);
  }
}

// One vector: in, normalised, out.
template <typename SHAPE, int FOUT, bool HAS_WEIGHT, bool HAS_BIAS, int64_t EPS>
inline void norm_vector(Port<Word>& x, const Word (&weight)[SHAPE::kSegmentWords],
                        const Word (&bias)[SHAPE::kSegmentWords], Port<Word>& y) {
  NormVector<SHAPE> vector;
  take_vector(vector, x);
  if (SHAPE::kCenter) find_means(vector);
  find_scales<SHAPE, EPS>(vector);
  give_normed<SHAPE, FOUT, HAS_WEIGHT, HAS_BIAS>(vector, weight, bias, y);
}

// Biases of 16 fraction bits come in; FOUT of them stay.
template <int WORDS, int FOUT>
inline void read_biases(Port<Word>& params, Word (&bias)[WORDS]) {
  STB_ENTER(kAddDepth)
bias_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word raw = params.read();
    Word word;
  bias_lanes:
    for (int l = 0; l < kLanes; ++l) {
      STB_UNROLL
      set_lane(word, l, sat(rsr(lane(raw, l), 16 - FOUT)));
    }
    bias[i] = word;
  }
}

template <int WIDTH, int SEGMENT, int FIN, int FOUT, int64_t EPS, int COUNT>
inline void check_norm() {
  static_assert(SEGMENT % kLanes == 0, "the segment of a norm is a multiple of 16");
  static_assert(WIDTH % SEGMENT == 0, "the width of a norm is a multiple of its segment");
  static_assert(COUNT > 0 && COUNT <= SEGMENT, "a segment has elements, and zeros behind them");
  static_assert(SEGMENT <= 65536, "the segment of a norm is at most 65,536: n stays within 32 bits");
  static_assert(FIN >= 0 && FOUT >= 0 && FOUT <= 30, "fraction bits lie between 0 and 30");
  static_assert(EPS >= 0 && EPS < (int64_t(1) << 60), "EPS leaves the mean square within 62 bits");
}

// x: WIDTH/16 words of FIN fraction bits; y: as many of FOUT. Each SEGMENT elements are normalised
// on their own; CENTER makes it a layer norm; EPS has 2 * FIN fraction bits. Per run, also when the run
// has no token, SEGMENT/16 words of weights, then of biases, come from `params`. Of a padded segment COUNT
// places have elements, of a layer norm the first; x has zeros in the others, and so has y where the weights
// and biases have zeros. Lag: one vector.
template <int RUNS, int ROLE, int WIDTH, int SEGMENT, bool CENTER, int FIN, int FOUT, bool HAS_WEIGHT,
          bool HAS_BIAS, int64_t EPS, int COUNT = SEGMENT>
void norm(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& params, Port<Word>& y) {
  check_norm<WIDTH, SEGMENT, FIN, FOUT, EPS, COUNT>();
  using Shape = NormShape<WIDTH, SEGMENT, CENTER, COUNT>;
  const int tokens = role_tokens<ROLE>(cmd.read());
  Word weight[Shape::kSegmentWords];
  Word bias[Shape::kSegmentWords];
  STB_BIND(weight, bram)
  STB_BIND(bias, bram)
  const int turns = RUNS * (tokens > 0 ? tokens : 1);
  int token = 0;
norm_turns:
  for (int i = 0; i < turns; ++i) {
    if (HAS_WEIGHT && token == 0) read_n(params, weight, Shape::kSegmentWords);
    if (HAS_BIAS && token == 0) read_biases<Shape::kSegmentWords, FOUT>(params, bias);
    if (tokens > 0) norm_vector<Shape, FOUT, HAS_WEIGHT, HAS_BIAS, EPS>(x, weight, bias, y);
    token = token + 1 < tokens ? token + 1 : 0;
  }
}

// The same without parameters.
template <int RUNS, int ROLE, int WIDTH, int SEGMENT, bool CENTER, int FIN, int FOUT, bool HAS_WEIGHT,
          bool HAS_BIAS, int64_t EPS, int COUNT = SEGMENT>
void norm(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& y) {
  static_assert(!HAS_WEIGHT && !HAS_BIAS, "a norm with parameters has a port for them");
  check_norm<WIDTH, SEGMENT, FIN, FOUT, EPS, COUNT>();
  using Shape = NormShape<WIDTH, SEGMENT, CENTER, COUNT>;
  const int count = RUNS * role_tokens<ROLE>(cmd.read());
  Word weight[Shape::kSegmentWords];
  Word bias[Shape::kSegmentWords];
  STB_BIND(weight, bram)
  STB_BIND(bias, bram)
norm_vectors:
  for (int i = 0; i < count; ++i) norm_vector<Shape, FOUT, HAS_WEIGHT, HAS_BIAS, EPS>(x, weight, bias, y);
}

}  // namespace stb
