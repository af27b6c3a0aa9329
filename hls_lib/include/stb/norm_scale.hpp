// A vector on its way through a norm: its words, and for each segment what its elements are multiplied by.
//
// Each step is a loop over all words of the vector, or over the bits of all segments' roots and quotients,
// so that a pipeline is filled a few times for a vector and not for a segment.
#pragma once

#include "stb/quantize.hpp"
#include "stb/steps.hpp"

namespace stb {

template <int WIDTH, int SEGMENT>
struct NormShape {
  enum : int {
    kSegment = SEGMENT,
    kWords = WIDTH / kLanes,
    kSegments = WIDTH / SEGMENT,
    kSegmentWords = SEGMENT / kLanes
  };
};

// What a segment's elements are multiplied by: n = round_shift(x * factor, shift), 20 fraction bits.
struct InverseRoot {
  int32_t factor;  // up to 2^24
  int shift;
};

template <typename SHAPE>
struct NormVector {
  Word words[SHAPE::kWords];
  int64_t sum[SHAPE::kSegments];
  uint32_t top[SHAPE::kSegments];  // the greatest magnitude
  InverseRoot by[SHAPE::kSegments];
};

// A step through the words of a vector.
struct SegmentStep {
  int segment;
  int word;
};

template <int WORDS>
inline SegmentStep step_after(const SegmentStep& step) {
  if (step.word + 1 < WORDS) return SegmentStep{step.segment, step.word + 1};
  return SegmentStep{step.segment + 1, 0};
}

inline int64_t sum_of_lanes(const Word& x) {
  int64_t sum = 0;
sum_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    sum += lane(x, l);
  }
  return sum;
}

// The words come in; the sum and the greatest magnitude of each segment.
template <typename SHAPE>
inline void take_vector(NormVector<SHAPE>& vector, Port<Word>& x) {
  STB_BIND(vector.words, bram)
  uint32_t tops[kLanes] = {};
  int64_t sum = 0;
  SegmentStep step = {0, 0};
  STB_ENTER(kNormTakeDepth)
take_words:
  for (int i = 0; i < SHAPE::kWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word w = x.read();
    vector.words[i] = w;
    sum = sum_of_lanes(w) + (step.word == 0 ? 0 : sum);
    raise_tops(tops, w, step.word == 0);
    vector.sum[step.segment] = sum;
    vector.top[step.segment] = largest_of(tops);
    step = step_after<SHAPE::kSegmentWords>(step);
  }
}

// The mean of each segment, rounded down.
template <typename SHAPE>
inline void find_means(const NormVector<SHAPE>& vector, int64_t (&means)[SHAPE::kSegments]) {
  const int64_t above = int64_t(1) << 32;  // makes every dividend positive
  uint64_t dividends[SHAPE::kSegments];
  uint64_t divisors[SHAPE::kSegments];
  uint64_t quotients[SHAPE::kSegments];
  STB_ENTER(kAddDepth)
mean_dividends:
  for (int s = 0; s < SHAPE::kSegments; ++s) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const int64_t dividend = vector.sum[s] + SHAPE::kSegment / 2 + SHAPE::kSegment * above;
    dividends[s] = static_cast<uint64_t>(dividend);
    divisors[s] = SHAPE::kSegment;
  }
  divide_each(dividends, divisors, quotients);
  STB_ENTER(kAddDepth)
mean_quotients:
  for (int s = 0; s < SHAPE::kSegments; ++s) {
    STB_PIPELINE(1)
    STB_TICK(1)
    means[s] = static_cast<int64_t>(quotients[s]) - above;
  }
}

inline Word centered(const Word& x, int64_t mean) {
  Word y;
center_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    set_lane(y, l, sat(lane(x, l) - mean));
  }
  return y;
}

// Subtracts its mean from each element; the greatest magnitudes are those of the differences.
template <typename SHAPE>
inline void center(NormVector<SHAPE>& vector) {
  int64_t means[SHAPE::kSegments];
  find_means(vector, means);
  uint32_t tops[kLanes] = {};
  SegmentStep step = {0, 0};
  STB_ENTER(kTreeDepth)
center_words:
  for (int i = 0; i < SHAPE::kWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word w = centered(vector.words[i], means[step.segment]);
    vector.words[i] = w;
    raise_tops(tops, w, step.word == 0);
    vector.top[step.segment] = largest_of(tops);
    step = step_after<SHAPE::kSegmentWords>(step);
  }
}

// The bits by which a segment's elements are too long to be squared.
inline int excess_bits(uint32_t top) {
  const int excess = bitlen(top) - 23;
  return excess > 0 ? excess : 0;
}

inline int64_t sum_of_squares(const Word& x, int excess) {
  int64_t sum = 0;
square_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int32_t y = narrow<24>(lane(x, l) >> excess);
    sum += static_cast<int64_t>(y) * y;
  }
  return sum;
}

// The mean of squares of each segment, rounded down; the elements are shifted by their excess.
template <typename SHAPE>
inline void find_squares(const NormVector<SHAPE>& vector, uint64_t (&means)[SHAPE::kSegments]) {
  uint64_t sums[SHAPE::kSegments];
  uint64_t divisors[SHAPE::kSegments];
  int64_t sum = 0;
  SegmentStep step = {0, 0};
  STB_ENTER(kNormSquareDepth)
square_words:
  for (int i = 0; i < SHAPE::kWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const int64_t squares = sum_of_squares(vector.words[i], excess_bits(vector.top[step.segment]));
    sum = squares + (step.word == 0 ? 0 : sum);
    sums[step.segment] = static_cast<uint64_t>(sum);
    divisors[step.segment] = SHAPE::kSegment;
    step = step_after<SHAPE::kSegmentWords>(step);
  }
  divide_each(sums, divisors, means);
}

// One over the root of each segment's mean of squares plus EPS.
template <typename SHAPE, int64_t EPS>
inline void find_scales(NormVector<SHAPE>& vector) {
  uint64_t squares[SHAPE::kSegments];
  uint64_t shifted[SHAPE::kSegments];
  uint64_t ones[SHAPE::kSegments];
  uint64_t roots[SHAPE::kSegments];
  uint64_t inverses[SHAPE::kSegments];
  find_squares(vector, squares);
  STB_ENTER(kNormShiftDepth)
shift_squares:
  for (int s = 0; s < SHAPE::kSegments; ++s) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const int h = excess_bits(vector.top[s]);
    const uint64_t mean = squares[s] + (EPS >> (2 * h));
    const uint64_t v = mean > 0 ? mean : 1;
    const int z = (62 - bitlen(v)) & ~1;
    shifted[s] = v << z;
    ones[s] = uint64_t(1) << 61;
    vector.by[s].shift = 34 + h - z / 2;
  }
  root_each(shifted, roots);
  divide_each(ones, roots, inverses);
  STB_ENTER(kMoveDepth)
keep_inverses:
  for (int s = 0; s < SHAPE::kSegments; ++s) {
    STB_PIPELINE(1)
    STB_TICK(1)
    vector.by[s].factor = static_cast<int32_t>(inverses[s] >> 7);
  }
}

}  // namespace stb
