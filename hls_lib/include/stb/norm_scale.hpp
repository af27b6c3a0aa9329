// A vector on its way through a norm: its words, and for each segment what its elements are multiplied by.
//
// Each step is a loop over all words of the vector, or over the bits of all segments' roots and quotients,
// so that a pipeline is filled a few times for a vector and not for a segment.
#pragma once

#include "stb/quantize.hpp"
#include "stb/steps.hpp"

namespace stb {

template <int WIDTH, int SEGMENT, bool CENTER, int COUNT>
struct NormShape {
  enum : int {
    kCount = COUNT,  // elements of a segment; zeros stand behind those of a layer norm
    kPadded = COUNT < SEGMENT,
    kWords = WIDTH / kLanes,
    kSegments = WIDTH / SEGMENT,
    kSegmentWords = SEGMENT / kLanes,
    kCenter = CENTER  // a layer norm
  };
};

template <typename SHAPE>
struct NormVector {
  Word words[SHAPE::kWords];
  int64_t sum[SHAPE::kSegments];
  int64_t mean[SHAPE::kSegments];
  uint32_t top[SHAPE::kSegments];      // the greatest magnitude, of a layer norm that of the differences
  int32_t greatest[SHAPE::kSegments];  // of a layer norm
  int32_t least[SHAPE::kSegments];
  int32_t factor[SHAPE::kSegments];  // n = round_shift(x * factor, shift), 20 fraction bits; up to 2^24
  int shift[SHAPE::kSegments];
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

// Whether lane `l` of a segment's word has no element.
template <typename SHAPE>
inline bool is_empty(int word, int l) {
  return SHAPE::kPadded &&
         (word > SHAPE::kCount / kLanes || (word == SHAPE::kCount / kLanes && l >= SHAPE::kCount % kLanes));
}

// A layer norm's word with `filler` in the lanes that have no element.
template <typename SHAPE>
inline Word filled(const Word& x, int word, int32_t filler) {
  if (!SHAPE::kPadded) return x;
  Word y;
filled_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    set_lane(y, l, is_empty<SHAPE>(word, l) ? filler : lane(x, l));
  }
  return y;
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

// The greatest and least elements of each lane so far; those of x alone if `first`.
struct Extremes {
  int32_t greatest[kLanes];
  int32_t negated[kLanes];  // the greatest of -1 - x
};

inline void raise_extremes(Extremes& so_far, const Word& x, bool first) {
extreme_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int32_t a = lane(x, l);
    so_far.greatest[l] = first || a > so_far.greatest[l] ? a : so_far.greatest[l];
    so_far.negated[l] = first || ~a > so_far.negated[l] ? ~a : so_far.negated[l];
  }
}

// The words come in; of each segment the greatest magnitude, or of a layer norm sum, greatest and least
// element.
template <typename SHAPE>
inline void take_vector(NormVector<SHAPE>& vector, Port<Word>& x) {
  STB_BIND(vector.words, bram)
  uint32_t tops[kLanes] = {};
  Extremes extremes = {};
  STB_PARTITION(extremes.greatest, 1)
  STB_PARTITION(extremes.negated, 1)
  int64_t sum = 0;
  int32_t first = 0;  // element of a segment, which changes no extreme
  SegmentStep step = {0, 0};
  STB_ENTER(kNormTakeDepth)
take_words:
  for (int i = 0; i < SHAPE::kWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word w = x.read();
    vector.words[i] = w;
    if (SHAPE::kCenter) {
      sum = sum_of_lanes(w) + (step.word == 0 ? 0 : sum);
      first = step.word == 0 ? lane(w, 0) : first;
      raise_extremes(extremes, filled<SHAPE>(w, step.word, first), step.word == 0);
      vector.sum[step.segment] = sum;
      vector.greatest[step.segment] = largest_of(extremes.greatest);
      vector.least[step.segment] = ~largest_of(extremes.negated);
    } else {
      raise_tops(tops, w, step.word == 0);
      vector.top[step.segment] = largest_of(tops);
    }
    step = step_after<SHAPE::kSegmentWords>(step);
  }
}

inline int32_t difference(int32_t x, int64_t mean) { return sat(x - mean); }

// The mean of each segment, rounded down, and the greatest magnitude of a difference from it: that of the
// greatest or the least element.
template <typename SHAPE>
inline void find_means(NormVector<SHAPE>& vector) {
  using Of = OddPart<SHAPE::kCount>;
  const int64_t above = int64_t(1) << 32;  // makes every dividend positive
  uint64_t quotients[SHAPE::kSegments];
  STB_ENTER(kAddDepth)
mean_dividends:
  for (int s = 0; s < SHAPE::kSegments; ++s) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const int64_t dividend = vector.sum[s] + SHAPE::kCount / 2 + SHAPE::kCount * above;
    quotients[s] = static_cast<uint64_t>(dividend) >> Of::kTwos;
  }
  if (Of::kOdd > 1) divide_each<SHAPE::kCount>(quotients);
  STB_ENTER(2 * kAddDepth)
mean_quotients:
  for (int s = 0; s < SHAPE::kSegments; ++s) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const int64_t mean = static_cast<int64_t>(quotients[s]) - above;
    const uint32_t upper = magnitude(difference(vector.greatest[s], mean));
    const uint32_t lower = magnitude(difference(vector.least[s], mean));
    vector.mean[s] = mean;
    vector.top[s] = upper > lower ? upper : lower;
  }
}

// What is left of a word's elements once the mean is subtracted.
inline Word centered(const Word& x, int64_t mean) {
  Word y;
center_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    set_lane(y, l, difference(lane(x, l), mean));
  }
  return y;
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

// The mean of squares of each segment, rounded down, of elements shifted by their excess. A layer norm's
// words become differences from the mean.
template <typename SHAPE>
inline void find_squares(NormVector<SHAPE>& vector, uint64_t (&means)[SHAPE::kSegments]) {
  STB_INDEPENDENT(vector.words)
  using Of = OddPart<SHAPE::kCount>;
  int64_t sum = 0;
  SegmentStep step = {0, 0};
  STB_ENTER(kNormSquareDepth + (SHAPE::kCenter ? kAddDepth : 0))
square_words:
  for (int i = 0; i < SHAPE::kWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word x = vector.words[i];
    const Word w = SHAPE::kCenter ? filled<SHAPE>(centered(x, vector.mean[step.segment]), step.word, 0) : x;
    if (SHAPE::kCenter) vector.words[i] = w;
    const int64_t squares = sum_of_squares(w, excess_bits(vector.top[step.segment]));
    sum = squares + (step.word == 0 ? 0 : sum);
    means[step.segment] = static_cast<uint64_t>(sum) >> Of::kTwos;
    step = step_after<SHAPE::kSegmentWords>(step);
  }
  if (Of::kOdd > 1) divide_each<SHAPE::kCount>(means);
}

// One over the root of each segment's mean of squares plus EPS.
template <typename SHAPE, int64_t EPS>
inline void find_scales(NormVector<SHAPE>& vector) {
  uint64_t squares[SHAPE::kSegments];
  uint64_t shifted[SHAPE::kSegments];
  uint64_t roots[SHAPE::kSegments];
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
    vector.shift[s] = 34 + h - z / 2;
  }
  root_each(shifted, roots);
  invert_each(roots, vector.factor);
}

}  // namespace stb
