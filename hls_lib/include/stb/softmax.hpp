// Softmax in base 2 over the scores of one head, folded with the scales of the values.
#pragma once

#include "stb/lanes.hpp"
#include "stb/score.hpp"

namespace stb {

// What the weighted sum of a head's values is divided by, and the exponent it is counted in.
struct Total {
  int64_t sum;
  int exponent;
};

// The scores of one query head: positions first..own of it and of the scales are seen, the last is the
// query's own. The scales of keys, or of values, are m and e.
struct Seen {
  int first;
  int own;
};

// Turns the dot products with the keys seen into scores; gives the top one, which is at least `top`.
// A score is that of dot * m * factor >> shift - e.
template <typename FORM>
inline int32_t score_positions(int32_t* score, const uint8_t* m, const uint8_t* e, const Seen& seen,
                               int64_t factor, int shift, int32_t slope, int32_t top) {
score_positions:
  for (int j = seen.first; j <= seen.own; ++j) {
    STB_PIPELINE(1)
    const int64_t product = static_cast<int64_t>(score[j]) * m[j] * factor;
    score[j] = score_of<FORM>(product, shift - e[j], slope, seen.own - j);
    top = score[j] > top ? score[j] : top;
  }
  return top;
}

inline int largest_exponent(const uint8_t* e, const Seen& seen) {
  int top = 0;
largest_exponents:
  for (int j = seen.first; j <= seen.own; ++j) {
    STB_PIPELINE(1)
    top = e[j] > top ? e[j] : top;
  }
  return top;
}

// Turns scores into the weights of the values seen; those before, from `oldest` on, weigh nothing.
inline Total weigh_positions(int32_t* score, int32_t top, const uint8_t* m, const uint8_t* e, int oldest,
                             const Seen& seen) {
  const int exponent = largest_exponent(e, seen);
  int64_t sum = 0;
hide_positions:
  for (int j = oldest; j < seen.first; ++j) {
    STB_PIPELINE(1)
    score[j] = 0;
  }
weigh_positions:
  for (int j = seen.first; j <= seen.own; ++j) {
    STB_PIPELINE(1)
    const int32_t p = weight_of(score[j], top);
    sum += p;
    score[j] = (p * m[j]) >> min_of(exponent - e[j], 31);
  }
  return Total{sum, exponent};
}

// One over the total: a weighted sum times `factor`, shifted right by `shift`, has 16 fraction bits.
struct Reciprocal {
  int64_t factor;
  int shift;
};

inline Reciprocal reciprocal(const Total& total) {
  const int bits = bitlen(static_cast<uint64_t>(total.sum));
  const uint64_t divisor = static_cast<uint64_t>(total.sum) << (32 - bits);
  return Reciprocal{static_cast<int64_t>((uint64_t(1) << 48) / divisor), 23 + bits - total.exponent};
}

}  // namespace stb
