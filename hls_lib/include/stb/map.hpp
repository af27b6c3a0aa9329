// A function of one variable by a table of 256 linear pieces.
#pragma once

#include "stb/lanes.hpp"

namespace stb {

// Pieces of 1/8 over [-16, 16); bases have the result's fraction bits, slopes are per unit of x.
struct MapTable {
  int32_t bases[256];
  int32_t slopes[256];
};

// x has 16 fraction bits.
inline Word map_word(const Word& x, const MapTable& table) {
  Word y;
map_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int64_t from_left = static_cast<int64_t>(lane(x, l)) + (1 << 20);
    const int64_t piece = from_left >> 13;
    const int i = static_cast<int>(piece < 0 ? 0 : (piece > 255 ? 255 : piece));
    const int64_t rest = from_left - (static_cast<int64_t>(i) << 13);
    set_lane(y, l, sat(table.bases[i] + round_shift(table.slopes[i] * rest, 16)));
  }
  return y;
}

// Vectors of WIDTH elements, WIDTH/16 words; no lag.
template <int RUNS, int ROLE, int WIDTH>
void map(Port<Cmd>& cmd, Port<Word>& x, Port<Word>& y, const MapTable& table) {
  static_assert(WIDTH % kLanes == 0, "the width of a vector is a multiple of 16");
  const int tokens = role_tokens<ROLE>(cmd.read());
  STB_ROM(table.bases)
  STB_ROM(table.slopes)
  STB_ENTER(kMapDepth)
map_words:
  for (int i = 0; i < RUNS * tokens * (WIDTH / kLanes); ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    y.write(map_word(x.read(), table));
  }
}

}  // namespace stb
