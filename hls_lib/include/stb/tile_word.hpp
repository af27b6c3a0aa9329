// Where the weights of a tile lie in a word of 8 columns.
#pragma once

#include "stb/types.hpp"

namespace stb {

inline std::int32_t nibble(const Word& word, int row, int column) {
  const int both = byte_at(word, 4 * row + column % 4);
  return column < 4 ? both & 15 : both >> 4;
}

}  // namespace stb
