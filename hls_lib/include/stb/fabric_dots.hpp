// Dot products in LUTs, for token lanes that have no DSPs: the same sums as pair_dot (tile.hpp).
//
// A bit of the weights of two neighbouring columns chooses one of their values, both, or none; the sum of
// both is made once for all rows. Four such numbers for each of the four bits make a row's dot product of a
// word.
#pragma once

#include "stb/lane_sums.hpp"
#include "stb/tile_word.hpp"

namespace stb {

constexpr int kWordColumns = 8;
constexpr int kWordPairs = kWordColumns / 2;
constexpr int kTileWeightBits = 4;
constexpr int kPlaneBits = kActBits + 3;

// The values of a word's columns, and the sums of neighbours.
struct ColumnPairs {
  Int<kActBits + 1> left[kWordPairs];
  Int<kActBits + 1> right[kWordPairs];
  Int<kActBits + 1> both[kWordPairs];
};

// Token lane `l` is one of the last FABRIC.
template <int FABRIC, int TOKEN_LANES>
constexpr bool in_fabric(int l) {
  static_assert(FABRIC >= 0 && FABRIC <= TOKEN_LANES, "no more token lanes are in LUTs than there are");
  return l >= TOKEN_LANES - FABRIC;
}

// The columns of the word that is `part` of its quad.
inline ColumnPairs column_pairs(const Activation& act, int part, bool is_unsigned) {
  STB_INLINE
  ColumnPairs pairs;
columns:
  for (int j = 0; j < kWordPairs; ++j) {
    STB_UNROLL
    const int column = kWordColumns * part + 2 * j;
    pairs.left[j] = act_value(act, column, is_unsigned);
    pairs.right[j] = act_value(act, column + 1, is_unsigned);
    pairs.both[j] = pairs.left[j] + pairs.right[j];
  }
  return pairs;
}

// What bit `bit` of the weights of columns 2j and 2j + 1 chooses.
inline Int<kActBits + 1> chosen_columns(const Word& word, const ColumnPairs& values, int row, int j,
                                        int bit) {
  STB_INLINE
  const bool left = (nibble(word, row, 2 * j) >> bit & 1) != 0;
  const bool right = (nibble(word, row, 2 * j + 1) >> bit & 1) != 0;
  if (left) return right ? values.both[j] : values.left[j];
  return right ? values.right[j] : Int<kActBits + 1>(0);
}

// One row's dot product of a word.
inline Int<kDotBits> row_in_fabric(const Word& word, const ColumnPairs& values, int row) {
  STB_INLINE
  Int<kPlaneBits> planes[kTileWeightBits];
weight_bits:
  for (int b = 0; b < kTileWeightBits; ++b) {
    STB_UNROLL
    planes[b] = (chosen_columns(word, values, row, 0, b) + chosen_columns(word, values, row, 1, b)) +
                (chosen_columns(word, values, row, 2, b) + chosen_columns(word, values, row, 3, b));
  }
  const Int<kDotBits> low = planes[0] + 2 * planes[1];
  const Int<kDotBits> high = planes[2] + 2 * planes[3];
  return low + 4 * high;
}

// The dots of rows `row` and `row + 1` so far, made apart, with those of a word.
inline Int<kPairBits> pair_in_fabric(Int<kPairBits> before, const Word& word, const ColumnPairs& values,
                                     int row) {
  STB_INLINE
  const Int<kPairBits> mask = (1 << kDotBits) - 1;
  const Int<kDotBits> low = (before & mask) + row_in_fabric(word, values, row);
  const Int<kDotBits> high = (before >> kDotBits) + row_in_fabric(word, values, row + 1);
  return (Int<kPairBits>(high) << kDotBits) + (Int<kPairBits>(low) & mask);
}

}  // namespace stb
