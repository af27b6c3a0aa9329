// The arithmetic of a lane: 16 rows of a weight matrix times the activations of the launch's tokens.
//
// A tile is, per weight group, a header word and four words per 32 columns and plane; of 8 columns in a
// word, row r and column c lie in byte 4r + (c mod 4), low nibble if c < 4. The sums are exact:
//   x[r] = sum over a weight group of (mantissa * dot_r) << shift, sa = that of (mantissa * asum) << shift
//   sums[r] = sum over weight groups of D_r * x[r] + M_r * sa
// Raw ops, whose tiles are keys or values, have a weight group for each 32 columns, D = 1 and M = -128.
// D and M are met once a weight group, four rows a cycle during the next four steps of the lane.
#pragma once

#include "stb/activations.hpp"
#include "stb/lane_step.hpp"
#include "stb/scales.hpp"
#include "stb/stream.hpp"

namespace stb {

constexpr int kRowsAtOnce = kTileRows / kQuad;
constexpr int kPacked = 18;  // bits of the lower of two products in a DSP

inline std::int32_t nibble(const Word& word, int row, int column) {
  const int both = byte_at(word, 4 * row + column % 4);
  return column < 4 ? both & 15 : both >> 4;
}

// The dot products of two rows that follow each other.
struct RowPair {
  std::int32_t first;
  std::int32_t second;
};

// The 8 columns of one word for rows `row` and `row + 1`; `part` is the word's place in its quad. A DSP
// multiplies both rows' weights at once, the second 18 bits higher: a sum of 8 products is within 30,600, so
// that the lower 18 bits are those of the first row, with their sign.
inline RowPair pair_dot(const Word& word, const Word& act, int part, int row, bool is_unsigned) {
  std::int64_t packed = 0;
pair_columns:
  for (int c = 0; c < 8; ++c) {
    STB_UNROLL
    const std::int32_t weights = (nibble(word, row + 1, c) << kPacked) + nibble(word, row, c);
    const std::int32_t product = weights * act_value(act, 8 * part + c, is_unsigned);
    STB_MULTIPLY(product, dsp)
    packed += product;
  }
  const std::int64_t low = packed & ((1 << kPacked) - 1);
  const std::int64_t first = low - ((low >> (kPacked - 1)) << kPacked);
  return RowPair{static_cast<std::int32_t>(first), static_cast<std::int32_t>((packed - first) >> kPacked)};
}

// What a lane holds while it goes through a tile; a pass is TOKEN_LANES tokens.
template <int PASSES, int TOKEN_LANES>
struct TileSums {
  std::int32_t dots[TOKEN_LANES][kTileRows];                    // of the quad so far
  std::int64_t x[PASSES][TOKEN_LANES][kTileRows];               // of the weight group so far
  std::int64_t sa[PASSES][TOKEN_LANES];                         // of the weight group so far
  std::int64_t rows[PASSES * kQuad][TOKEN_LANES][kRowsAtOnce];  // of the tile so far
};

// A weight group that has ended for one pass, until D and M have met it.
template <int TOKEN_LANES>
struct EndedGroup {
  int left;  // steps until then
  int pass;
  bool first;  // of its tile
  Scales scales;
  std::int64_t x[TOKEN_LANES][kTileRows];
  std::int64_t sa[TOKEN_LANES];
};

// The dot product of one row with the words of a quad so far joins those of its weight group behind the last.
template <int PASSES, int TOKEN_LANES>
inline void add_dot(std::int32_t dot, const LaneStep& step, const Word& act, int l, int r,
                    TileSums<PASSES, TOKEN_LANES>& sums, EndedGroup<TOKEN_LANES>& now) {
  const std::int32_t all = dot + (step.part == 0 ? 0 : sums.dots[l][r]);
  sums.dots[l][r] = all;
  if (step.part != kQuad - 1) return;
  const std::int64_t scaled = static_cast<std::int64_t>(mantissa_of(act) * all)
                              << (shift_of(act) + 4 * step.plane);
  const bool first = step.plane == 0 && step.quad == 0;
  now.x[l][r] = scaled + (first ? 0 : sums.x[step.pass][l][r]);
  sums.x[step.pass][l][r] = now.x[l][r];
}

// The sum of the activations of a quad, scaled, joins those of its weight group.
template <int PASSES, int TOKEN_LANES>
inline void add_act_sum(const LaneStep& step, const Word& act, int l, TileSums<PASSES, TOKEN_LANES>& sums,
                        EndedGroup<TOKEN_LANES>& now) {
  const std::int64_t scaled = static_cast<std::int64_t>(scaled_sum_of(act)) << shift_of(act);
  const bool first = step.plane == 0 && step.quad == 0;
  now.sa[l] = (step.plane == 0 ? scaled : 0) + (first ? 0 : sums.sa[step.pass][l]);
  sums.sa[step.pass][l] = now.sa[l];
}

// One word for the tokens of a pass; behind a quad, `now` has the sums of the weight group so far.
template <int PASSES, int TOKEN_LANES, int ACTS>
inline void add_word(const Word& word, const LaneStep& step, bool is_unsigned,
                     const Word (&acts)[TOKEN_LANES][ACTS], TileSums<PASSES, TOKEN_LANES>& sums,
                     EndedGroup<TOKEN_LANES>& now) {
word_lanes:
  for (int l = 0; l < TOKEN_LANES; ++l) {
    STB_UNROLL
    const Word act = acts[l][step.act];
    std::int32_t dots[kTileRows];
  word_pairs:
    for (int r = 0; r < kTileRows; r += 2) {
      STB_UNROLL
      const RowPair pair = pair_dot(word, act, step.part, r, is_unsigned);
      dots[r] = pair.first;
      dots[r + 1] = pair.second;
    }
  word_rows:
    for (int r = 0; r < kTileRows; ++r) {
      STB_UNROLL
      add_dot(dots[r], step, act, l, r, sums, now);
    }
    if (step.part == kQuad - 1) add_act_sum(step, act, l, sums, now);
  }
}

// The weight group that ends with this step, and whose sums are those of `now`.
template <int TOKEN_LANES>
inline void end_group(const LaneStep& step, const Scales& scales, const EndedGroup<TOKEN_LANES>& now,
                      EndedGroup<TOKEN_LANES>& ended) {
  ended.left = kQuad;
  ended.pass = step.pass;
  ended.first = step.group == 0;
  ended.scales = scales;
end_lanes:
  for (int l = 0; l < TOKEN_LANES; ++l) {
    STB_UNROLL
    ended.sa[l] = now.sa[l];
  end_rows:
    for (int r = 0; r < kTileRows; ++r) {
      STB_UNROLL
      ended.x[l][r] = now.x[l][r];
    }
  }
}

// Four rows of an ended group; the next four take their place.
template <int PASSES, int TOKEN_LANES>
inline void scale_rows(EndedGroup<TOKEN_LANES>& ended, TileSums<PASSES, TOKEN_LANES>& sums) {
  const int at = ended.pass * kQuad + kQuad - ended.left;
scale_lanes:
  for (int l = 0; l < TOKEN_LANES; ++l) {
    STB_UNROLL
  scale_rows:
    for (int i = 0; i < kRowsAtOnce; ++i) {
      STB_UNROLL
      const std::int64_t of_dots = ended.scales.d[i] * ended.x[l][i];
      const std::int64_t of_sums = ended.scales.m[i] * ended.sa[l];
      STB_MULTIPLY(of_dots, dsp)
      STB_MULTIPLY(of_sums, dsp)
      sums.rows[at][l][i] = of_dots + of_sums + (ended.first ? 0 : sums.rows[at][l][i]);
    }
  next_rows:
    for (int r = 0; r < kTileRows - kRowsAtOnce; ++r) {
      STB_UNROLL
      ended.x[l][r] = ended.x[l][r + kRowsAtOnce];
    }
  }
next_scales:
  for (int r = 0; r < kTileRows - kRowsAtOnce; ++r) {
    STB_UNROLL
    ended.scales.d[r] = ended.scales.d[r + kRowsAtOnce];
    ended.scales.m[r] = ended.scales.m[r + kRowsAtOnce];
  }
  --ended.left;
}

// Four rows of a result join those before: y = sat(rsr(sum, shift)).
inline void add_result(Word& result, const std::int64_t (&rows)[kRowsAtOnce], int shift) {
earlier_rows:
  for (int r = 0; r < kTileRows - kRowsAtOnce; ++r) {
    STB_UNROLL
    set_lane(result, r, lane(result, r + kRowsAtOnce));
  }
result_rows:
  for (int i = 0; i < kRowsAtOnce; ++i) {
    STB_UNROLL
    set_lane(result, kTileRows - kRowsAtOnce + i, sat(rsr(rows[i], shift)));
  }
}

}  // namespace stb
