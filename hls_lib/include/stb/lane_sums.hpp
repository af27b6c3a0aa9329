// What a lane holds while it goes through a tile, in the bits that docs/numerics.md bounds.
//
// An activation is an int8, or a byte of a softmax weight: 9 bits. A dot product of 32 columns is within
// 15 * 255 * 32 < 2^17, so that two packed 18 bits apart add up without meeting. s < 2^20, of plane 1 times
// 16. |x| <= 255 * 2^12 * 255 * 127 * 128 < 2^42 for 8 bits in groups of 128; |sa| <= 255 * 2^12 * 127 * 128
// < 2^34. |D|, |M| < 2^24; their sums with x and sa stay below 2^62 by the choice of B.
#pragma once

#include "stb/activations.hpp"
#include "stb/lane_step.hpp"
#include "stb/packed_dot.hpp"
#include "stb/stream.hpp"

namespace stb {

constexpr int kRowsAtOnce = kTileRows / kQuad;
constexpr int kPairsAtOnce = kRowsAtOnce / 2;
constexpr int kActBits = 9;
constexpr int kWeightsBits = kDotBits + 5;  // two rows' weights for one DSP
constexpr int kScaleBits = 25;              // s of a plane
constexpr int kXBits = 44;
constexpr int kSaBits = 35;
constexpr int kSlice = 17;  // bits of x or sa that a DSP multiplies at once, without a sign

// Sums so far; a pass is TOKEN_LANES tokens, `rows` has them by quarters of the tile's rows.
template <int PASSES, int TOKEN_LANES>
struct TileSums {
  Int<kPairBits> pairs[TOKEN_LANES][kTileRows / 2];        // of the quad
  Int<kXBits> x[kQuad][TOKEN_LANES][kRowsAtOnce];          // of the weight group and pass
  Int<kSaBits> sa[TOKEN_LANES];                            // of the weight group and pass
  Int<64> rows[PASSES * kQuad][TOKEN_LANES][kRowsAtOnce];  // of the tile
};

// A quad that has ended, until s has met its dots.
template <int TOKEN_LANES>
struct EndedQuad {
  int left;    // steps until then
  bool first;  // of its weight group and pass
  bool last;
  int pass;
  bool opens_tile;               // its weight group is the first of its tile
  Int<kSaBits> sa[TOKEN_LANES];  // of the weight group so far
  Int<kScaleBits> scales[TOKEN_LANES];
  Int<kPairBits> pairs[TOKEN_LANES][kQuad][kPairsAtOnce];
};

// A weight group that has ended for one pass, until D and M have met it.
template <int TOKEN_LANES>
struct EndedGroup {
  int left;  // steps until then
  int pass;
  bool first;  // of its tile
  Word header;
  Int<kXBits> x[kQuad][TOKEN_LANES][kRowsAtOnce];
  Int<kSaBits> sa[TOKEN_LANES];
};

}  // namespace stb
