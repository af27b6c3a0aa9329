// The arithmetic of a lane: 16 rows of a weight matrix times the activations of the launch's tokens.
//
// A tile is, per weight group, a header word and four words per 32 columns and plane; of 8 columns in a
// word, row r and column c lie in byte 4r + (c mod 4), low nibble if c < 4. The sums are exact:
//   x[r] = sum over a weight group of s * dot_r, of plane 1 times 16, sa = that of s * asum
//   sums[r] = sum over weight groups of D_r * x[r] + M_r * sa, for 8 bits of D_r * (x[r] - 128 sa)
// A multiplier is used again in each cycle: s meets the dots of a quad four rows a cycle during the next
// four words, D and M meet a weight group AT_ONCE rows a cycle during as many words as it has. Raw ops, whose
// tiles are keys or values of 8 bits, have a weight group for each 32 columns, no header and D = 1.
#pragma once

#include "stb/fabric_dots.hpp"
#include "stb/lane_step.hpp"
#include "stb/lane_sums.hpp"
#include "stb/scales.hpp"

namespace stb {

// A product of A by B bits in DSPs.
template <int A, int B>
inline Int<A + B> dsp_product(Int<A> a, Int<B> b) {
  STB_INLINE
  const Int<A + B> product = widened<A + B>(a) * b;
  STB_MULTIPLY(product, dsp)
  return product;
}

// A product and a sum of 48 bits, both in one DSP.
template <int A, int B>
inline Int<kDspBits> dsp_multiply_add(Int<A> a, Int<B> b, Int<kDspBits> sum) {
  STB_INLINE
  STB_CHAIN
  return widened<A + B>(a) * b + sum;
}

// The 8 columns of one word for rows `row` and `row + 1`; `part` is the word's place in its quad. A DSP
// multiplies both rows' weights at once, the second 18 bits higher.
inline Int<kPairBits> pair_dot(const Word& word, const Activation& act, int part, int row, bool is_unsigned) {
  STB_CHAIN
  Int<kDspBits> packed = 0;
pair_columns:
  for (int c = 0; c < 8; ++c) {
    STB_UNROLL
    const Int<kWeightsBits> weights = (nibble(word, row + 1, c) << kDotBits) + nibble(word, row, c);
    const Int<kActBits> value = act_value(act, 8 * part + c, is_unsigned);
    packed += widened<kWeightsBits + kActBits>(weights) * value;
  }
  return packed;
}

// One word for the tokens of a pass joins the words of its quad before it.
template <int FABRIC, int PASSES, int TOKEN_LANES>
inline void add_word(const Word& word, const LaneStep& step, bool is_unsigned,
                     const Activation (&acts)[TOKEN_LANES], TileSums<PASSES, TOKEN_LANES>& sums) {
word_lanes:
  for (int l = 0; l < TOKEN_LANES; ++l) {
    STB_UNROLL
    const ColumnPairs values = column_pairs(acts[l], step.part, is_unsigned);
  word_pairs:
    for (int p = 0; p < kTileRows / 2; ++p) {
      STB_UNROLL
      const Int<kPairBits> before = step.part == 0 ? Int<kPairBits>(0) : sums.pairs[l][p];
      sums.pairs[l][p] = in_fabric<FABRIC, TOKEN_LANES>(l)
                             ? pair_in_fabric(before, word, values, 2 * p)
                             : before + pair_dot(word, acts[l], step.part, 2 * p, is_unsigned);
    }
  }
}

// The quad that ends with this step: its dots and scales, and its activations' sum in that of the group.
template <int PASSES, int TOKEN_LANES>
inline void end_quad(const LaneStep& step, const LinearOp& op, const Activation (&acts)[TOKEN_LANES],
                     TileSums<PASSES, TOKEN_LANES>& sums, EndedQuad<TOKEN_LANES>& quad) {
  quad.left = kQuad;
  quad.first = step.plane == 0 && step.quad == 0;
  quad.last = ends_group(step, op);
  quad.pass = step.pass;
  quad.opens_tile = step.group == 0;
quad_lanes:
  for (int l = 0; l < TOKEN_LANES; ++l) {
    STB_UNROLL
    const int shift = shift_of(acts[l]);
    quad.scales[l] = Int<kScaleBits>(mantissa_of(acts[l])) << (shift + 4 * step.plane);
    const Int<kSaBits> scaled = Int<kSaBits>(scaled_sum_of(acts[l])) << shift;
    const Int<kSaBits> before = quad.first ? Int<kSaBits>(0) : sums.sa[l];
    sums.sa[l] = before + (step.plane == 0 ? scaled : Int<kSaBits>(0));
    quad.sa[l] = sums.sa[l];
  quad_pairs:
    for (int p = 0; p < kTileRows / 2; ++p) {
      STB_UNROLL
      quad.pairs[l][p / kPairsAtOnce][p % kPairsAtOnce] = sums.pairs[l][p];
    }
  }
}

// The weight group that ends with this step for its pass; its x come during the next four.
template <int AT_ONCE, int PASSES, int TOKEN_LANES>
inline void end_group(const LaneStep& step, const Word& header, const TileSums<PASSES, TOKEN_LANES>& sums,
                      EndedGroup<TOKEN_LANES>& group) {
  group.left = kTileRows / AT_ONCE;
  group.pass = step.pass;
  group.first = step.group == 0;
  group.header = header;
group_lanes:
  for (int l = 0; l < TOKEN_LANES; ++l) {
    STB_UNROLL
    group.sa[l] = sums.sa[l];
  }
}

// s meets four rows of an ended quad.
template <int FABRIC, int PASSES, int TOKEN_LANES>
inline void scale_dots(EndedQuad<TOKEN_LANES>& quad, TileSums<PASSES, TOKEN_LANES>& sums,
                       EndedGroup<TOKEN_LANES>& group) {
  const int quarter = kQuad - quad.left;
dots_lanes:
  for (int l = 0; l < TOKEN_LANES; ++l) {
    STB_UNROLL
  dots_rows:
    for (int i = 0; i < kRowsAtOnce; ++i) {
      STB_UNROLL
      const Int<kPairBits> pair = quad.pairs[l][quarter][i / 2];
      const Int<kDotBits> dot =
          i % 2 == 0 ? first_dot(pair) : second_dot(pair, in_fabric<FABRIC, TOKEN_LANES>(l));
      const Int<kXBits> before = quad.first ? Int<kXBits>(0) : sums.x[quarter][l][i];
      const Int<kXBits> x = before + dsp_product<kScaleBits, kDotBits>(quad.scales[l], dot);
      sums.x[quarter][l][i] = x;
      if (quad.last) group.x[quarter][l][i] = x;
    }
  }
  --quad.left;
}

// The four rows of a raw op's weight group that scale_dots has just finished: x - 128 sa.
template <int PASSES, int TOKEN_LANES>
inline void add_raw_rows(const EndedQuad<TOKEN_LANES>& quad, const EndedGroup<TOKEN_LANES>& group,
                         TileSums<PASSES, TOKEN_LANES>& sums) {
  const int quarter = kQuad - 1 - quad.left;
raw_lanes:
  for (int l = 0; l < TOKEN_LANES; ++l) {
    STB_UNROLL
  raw_rows:
    for (int i = 0; i < kRowsAtOnce; ++i) {
      STB_UNROLL
      const Int<kXBits> x = group.x[quarter][l][i] - (Int<kXBits>(quad.sa[l]) << 7);
      Int<64>& row = sums.rows[quad.pass * kQuad + quarter][l][i];
      row = Int<64>(x) + (quad.opens_tile ? Int<64>(0) : row);
    }
  }
}

// D * x + M * sa in slices of x and sa, each added in the DSP of its product: what lies above a slice's bits
// goes on to the next.
inline Int<64> scaled_row(Int<kRowScaleBits> d, Int<kXBits> x, Int<kRowScaleBits> m, Int<kSaBits> sa) {
  STB_INLINE
  const int mask = (1 << kSlice) - 1;
  const Int<kSlice + 1> x_low = x & mask;
  const Int<kSlice + 1> x_middle = (x >> kSlice) & mask;
  const Int<kSlice + 1> x_high = x >> (2 * kSlice);
  const Int<kSlice + 1> sa_low = sa & mask;
  const Int<kSlice + 1> sa_high = sa >> kSlice;
  const Int<kDspBits> d_low = dsp_multiply_add<kRowScaleBits, kSlice + 1>(d, x_low, 0);
  const Int<kDspBits> low = dsp_multiply_add<kRowScaleBits, kSlice + 1>(m, sa_low, d_low);
  const Int<kDspBits> d_middle = dsp_multiply_add<kRowScaleBits, kSlice + 1>(d, x_middle, low >> kSlice);
  const Int<kDspBits> middle = dsp_multiply_add<kRowScaleBits, kSlice + 1>(m, sa_high, d_middle);
  const Int<kDspBits> high = dsp_multiply_add<kRowScaleBits, kSlice + 1>(d, x_high, middle >> kSlice);
  return (Int<64>(high) << (2 * kSlice)) + (Int<64>(middle & mask) << kSlice) + Int<64>(low & mask);
}

// D and M meet AT_ONCE rows of an ended group.
template <int AT_ONCE, int PASSES, int TOKEN_LANES>
inline void scale_rows(const LinearOp& op, EndedGroup<TOKEN_LANES>& group,
                       TileSums<PASSES, TOKEN_LANES>& sums) {
  const int first = kTileRows - AT_ONCE * group.left;
  const int quarter = first / kRowsAtOnce;
scale_rows:
  for (int i = 0; i < AT_ONCE; ++i) {
    STB_UNROLL
    const int at = first % kRowsAtOnce + i;
    const Int<kRowScaleBits> d = scale_of_row(group.header, first + i, op);
    const Int<kRowScaleBits> m = minimum_of_row(group.header, first + i, op);
  scale_lanes:
    for (int l = 0; l < TOKEN_LANES; ++l) {
      STB_UNROLL
      const Int<kXBits> offset = op.planes == 2 ? Int<kXBits>(group.sa[l]) << 7 : Int<kXBits>(0);
      const Int<64> scaled = scaled_row(d, group.x[quarter][l][at] - offset, m, group.sa[l]);
      Int<64>& row = sums.rows[group.pass * kQuad + quarter][l][at];
      row = scaled + (group.first ? Int<64>(0) : row);
    }
  }
  --group.left;
}

// Four rows of a result join those before: y = sat(rsr(sum, shift)).
inline void add_result(Word& result, const Int<64> (&rows)[kRowsAtOnce], int shift) {
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
