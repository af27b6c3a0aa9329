// One tile, 16 rows of a weight matrix, times the activations of the launch's tokens.
//
// A tile is, per weight group, a header word and four words per 32 columns and plane; of 8 columns in a
// word, row r and column c lie in byte 4r + (c mod 4), low nibble if c < 4. The sums are exact:
//   sums[t][r] = sum over groups of (D_r * mantissa * dot_r + M_r * mantissa * asum) << shift
// One word a cycle for up to TOKEN_LANES tokens; more tokens take further passes of four cycles.
#pragma once

#include "stb/activations.hpp"
#include "stb/scales.hpp"
#include "stb/stream.hpp"

namespace stb {

constexpr int kQuad = 4;  // words with 32 columns of one plane

template <int CHUNK>
struct TileSums {
  std::int64_t rows[CHUNK][kTileRows];
};

inline std::int32_t nibble(const Word& word, int row, int column) {
  const int both = byte_at(word, 4 * row + column % 4);
  return column < 4 ? both & 15 : both >> 4;
}

inline std::int32_t quad_dot(const Word (&words)[kQuad], const Word& act, int row) {
  std::int32_t dot = 0;
quad_words:
  for (int j = 0; j < kQuad; ++j) {
    STB_UNROLL
  quad_columns:
    for (int c = 0; c < 8; ++c) {
      STB_UNROLL
      dot += nibble(words[j], row, c) * static_cast<std::int8_t>(byte_at(act, 8 * j + c));
    }
  }
  return dot;
}

// Adds 32 columns of one plane, for one token.
inline void add_quad_plain(const Word (&words)[kQuad], const Scales& scales, int plane, const Word& act,
                           std::int64_t (&sums)[kTileRows]) {
  const std::int64_t offset = plane == 0 ? scaled_sum_of(act) : 0;
quad_rows:
  for (int r = 0; r < kTileRows; ++r) {
    STB_UNROLL
    const std::int64_t scaled = mantissa_of(act) * quad_dot(words, act, r);
    sums[r] +=
        (scales.d[r] * scaled + scales.m[r] * offset) * (std::int64_t(1) << (shift_of(act) + 4 * plane));
  }
}

}  // namespace stb

// On an x86 with AVX2 the emulator has its own add_quad and multiply_tile, with the same results.
#if !defined(STB_SYNTHESIS) && !defined(STB_PLAIN_TILE) && defined(__AVX2__) && defined(__F16C__)
#define STB_VECTOR_TILE 1
#include "../../sim/quad_avx2.hpp"
#endif

namespace stb {

#ifndef STB_VECTOR_TILE
inline void add_quad(const Word (&words)[kQuad], const Scales& scales, int plane, const Word& act,
                     std::int64_t (&sums)[kTileRows]) {
  STB_INLINE
  add_quad_plain(words, scales, plane, act, sums);
}
#endif

// One quad of the stream for all tokens; acts[t] is token t's group of these columns.
template <int CHUNK, int TOKEN_LANES>
void multiply_quad(Port<Word>& weights, const Scales& scales, int plane, const Word* acts, int tokens,
                   TileSums<CHUNK>& sums) {
  Word words[kQuad];
token_passes:
  for (int first = 0; first < tokens; first += TOKEN_LANES) {
    STB_PIPELINE(4)
    if (first == 0) read_n(weights, words, kQuad);
  token_lanes:
    for (int l = 0; l < TOKEN_LANES; ++l) {
      STB_UNROLL
      const int t = first + l;
      if (t < tokens) add_quad(words, scales, plane, acts[t], sums.rows[t]);
    }
    STB_TICK(first == 0 ? 0 : kQuad)
  }
}

// The whole tile, word by word; acts[g * tokens + t] is group g of token t.
template <int CHUNK, int TOKEN_LANES>
void multiply_tile_words(Port<Word>& weights, const LinearOp& op, const Word* acts, TileSums<CHUNK>& sums) {
weight_groups:
  for (int group = 0; group < op.groups; group += op.weight_group) {
    const Scales scales = unpack_header(weights.read(), op);
    STB_TICK(1)
  planes:
    for (int plane = 0; plane < op.planes; ++plane) {
    quads:
      for (int g = group; g < group + op.weight_group; ++g) {
        multiply_quad<CHUNK, TOKEN_LANES>(weights, scales, plane, acts + g * op.tokens, op.tokens, sums);
      }
    }
  }
}

template <int CHUNK>
void clear_sums(TileSums<CHUNK>& sums, int tokens) {
clear_tokens:
  for (int t = 0; t < tokens; ++t) {
  clear_rows:
    for (int r = 0; r < kTileRows; ++r) {
      STB_UNROLL
      sums.rows[t][r] = 0;
    }
  }
}

}  // namespace stb

#ifdef STB_VECTOR_TILE
#include "../../sim/tile_avx2.hpp"
#else
namespace stb {

template <int CHUNK, int TOKEN_LANES>
void multiply_tile(Port<Word>& weights, const LinearOp& op, const Word* acts, TileSums<CHUNK>& sums) {
  clear_sums(sums, op.tokens);
  multiply_tile_words<CHUNK, TOKEN_LANES>(weights, op, acts, sums);
}

}  // namespace stb
#endif
