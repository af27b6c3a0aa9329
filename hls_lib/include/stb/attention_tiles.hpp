// The tiles of blocks of the KV cache that a launch completes, from the recent keys and values.
#pragma once

#include "stb/recent_heads.hpp"

namespace stb {

// A step through the tiles of the blocks that a launch completes: of each block all heads, of each head the
// squares of 16 rows and 32 columns of its two K tiles, those of its V tiles, its two words of scales. A
// square is filled position by position, then goes out in words; so does a word of scales.
struct TileOut {
  int position;  // the first of the square, from the first recent one
  int kv;
  int square;  // of the head's
  int step;    // positions to come in, then words to go out
};

template <typename SHAPE>
struct Squares {
  enum : int {
    kOfKey = ceil_div(SHAPE::kInWords, 2),  // in a K tile
    kValues = 2 * kOfKey,                   // the first of the V tiles
    kScaleWords = kValues + SHAPE::kInWords,
    kAll = kScaleWords + 2
  };
  static int positions(int square) { return square >= kValues && square < kScaleWords ? kBlock : kTileRows; }
  static int words(int square) { return square < kScaleWords ? int(kSquareWords) : 1; }
  // Whether the square is of the second half of the positions.
  static bool second(int square) { return (square >= kOfKey && square < kValues) || square == kAll - 1; }
};

template <typename SHAPE>
inline TileOut step_after(const TileOut& step) {
  using Of = Squares<SHAPE>;
  if (step.step < Of::positions(step.square) + Of::words(step.square) - 1) {
    return TileOut{step.position, step.kv, step.square, step.step + 1};
  }
  if (step.square < Of::kAll - 1) return TileOut{step.position, step.kv, step.square + 1, 0};
  if (step.kv < SHAPE::kKvHeads - 1) return TileOut{step.position, step.kv + 1, 0, 0};
  return TileOut{step.position + kBlock, 0, 0, 0};
}

// 16 rows of 32 columns of a tile.
struct Square {
  std::uint8_t at[kTileRows][kBlock];
};

// Row `row` of a square becomes 32 of the bytes of a word.
inline void set_row(Square& square, int row, const Word& word, int half) {
row_bytes:
  for (int c = 0; c < kBlock; ++c) {
    STB_UNROLL
    square.at[row][c] = byte_at(word, kBlock * half + c);
  }
}

// Column `column` of a square becomes 16 of the bytes of a word.
inline void set_column(Square& square, int column, const Word& word, int quarter) {
column_bytes:
  for (int r = 0; r < kTileRows; ++r) {
    STB_UNROLL
    square.at[r][column] = byte_at(word, kTileRows * quarter + r);
  }
}

// The nibble of an int8 in a plane: the low one, or the high one plus 8.
inline int nibble_of(std::uint8_t value, int plane) { return plane == 0 ? value & 15 : (value >> 4) ^ 8; }

// Word `word` of a square: four of each plane, 8 columns each.
inline Word square_word(const Square& square, int word) {
  const int plane = word / 4;
  Word w = zero_word();
square_rows:
  for (int r = 0; r < kTileRows; ++r) {
    STB_UNROLL
  square_columns:
    for (int c = 0; c < 4; ++c) {
      STB_UNROLL
      const int low = nibble_of(square.at[r][8 * (word % 4) + c], plane);
      const int high = nibble_of(square.at[r][8 * (word % 4) + 4 + c], plane);
      set_byte(w, 4 * r + c, static_cast<std::uint8_t>(low | (high << 4)));
    }
  }
  return w;
}

// One position comes into the square, or into the word of scales.
template <typename SHAPE, int CHUNK>
inline void fill_square(const RecentHeads<SHAPE, CHUNK>& heads, const TileOut& step, Square& square,
                        Word& scales) {
  using Of = Squares<SHAPE>;
  const int position = step.position + step.step + (Of::second(step.square) ? int(kTileRows) : 0);
  if (step.square < Of::kValues) {
    const int group = Of::second(step.square) ? step.square - int(Of::kOfKey) : step.square;
    set_row(square, step.step, heads.key.words[position % kBanks][heads.key.row(position, step.kv)][group / 2], group % 2);
  } else if (step.square < Of::kScaleWords) {
    const int tile = step.square - Of::kValues;
    set_column(square, step.step, heads.value[position * SHAPE::kKvHeads + step.kv][tile / 4], tile % 4);
  } else {
    set_lane(scales, step.step, lane(heads.scales[position][step.kv / kScales], step.kv % kScales));
  }
}

// The tiles of the blocks that the recent positions fill.
template <typename SHAPE, int CHUNK>
inline void give_tiles(const RecentHeads<SHAPE, CHUNK>& heads, int recents, Port<Word>& tiles) {
  using Of = Squares<SHAPE>;
  const int end = recents / kBlock * kBlock;
  Square square;
  STB_PARTITION(square.at, 1)
  STB_PARTITION(square.at, 2)
  Word scales = zero_word();
  STB_ENTER(kMoveDepth)
tile_steps:
  for (TileOut step = {0, 0, 0, 0}; step.position < end; step = step_after<SHAPE>(step)) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const int out = step.step - Of::positions(step.square);
    if (out < 0) {
      fill_square(heads, step, square, scales);
    } else {
      tiles.write(step.square < Of::kScaleWords ? square_word(square, out) : scales);
    }
  }
}

}  // namespace stb
