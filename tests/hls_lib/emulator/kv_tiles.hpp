// Whether the reader of each channel sends the tiles of the cache that the engine's ops want, in their order,
// from where the writer puts them; and whether the words that it says before are as many.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "stb/kv_cache.hpp"
#include "stb/kv_memory.hpp"

namespace kv_tiles {

constexpr int kRuns = 2;
constexpr int kLookahead = 8;
constexpr int kUnit = stb::kSquareWords;  // all pieces are multiples of it

inline int* windows() {
  static int values[kRuns];
  return values;
}
struct Windows {
  static int at(int run) { return windows()[run]; }
};

// An op on a head's keys or values, and the channel of its first tile.
struct Op {
  bool values;
  int head;
  int base;
};

inline void expect(bool holds, const char* text) {
  if (holds) return;
  std::printf("%s\n", text);
  std::exit(1);
}

// A number for eight words of a K tile, or of a V tile's block; no two are the same, and none is 0.
inline std::int64_t unit_of(bool values, int run, int head, int tile, int part) {
  return ((((std::int64_t{values} * kRuns + run) * 64 + head) * 64 + tile) * 64 + part) + 1;
}

// The region of each channel, in units.
using Region = std::vector<std::vector<std::int64_t>>;

// A cache whose blocks are all full, as the writer lays it out.
template <int KV_HEADS, int SHARED, int HEAD_DIM, int CONTEXT, int CHANNELS>
Region full_cache(std::int64_t words) {
  using Heads = stb::KvHeads<KV_HEADS, SHARED, HEAD_DIM>;
  using Writes = stb::OpWrites<kRuns, CONTEXT, CHANNELS, Heads, 0, 0>;
  Region region(CHANNELS, std::vector<std::int64_t>(words / kUnit, 0));
  const int pieces = 2 + HEAD_DIM / stb::kTileRows;
  std::int64_t end = 0;
  for (int i = 0; i < kRuns * (CONTEXT / stb::kBlock) * KV_HEADS * pieces; ++i) {
    const int piece = i % pieces;
    const int head = i / pieces % KV_HEADS;
    const int block = i / pieces / KV_HEADS % (CONTEXT / stb::kBlock);
    const int run = i / pieces / KV_HEADS / (CONTEXT / stb::kBlock);
    const stb::KvPlace to = Writes::place_of({run, 0, block, head, piece}, 0, 1);
    expect(to.word + to.words <= words, "a tile lies behind the region");
    for (int u = 0; u < to.words / kUnit; ++u) {
      std::int64_t& unit = region[to.memory - 1][to.word / kUnit + u];
      expect(unit == 0, "two tiles overlap");
      unit = unit_of(piece >= 2, run, head, piece < 2 ? 2 * block + piece : piece - 2, piece < 2 ? u : block);
    }
    end = to.word + to.words > end ? to.word + to.words : end;
  }
  expect(CONTEXT % stb::kBlock != 0 || end == words, "the region is larger than its tiles");
  return region;
}

// What the lane of a channel wants in a run: of each op, for each batch, its tiles in the channel.
template <int SHARED, int HEAD_DIM, int CHANNELS, int BATCH>
std::vector<std::int64_t> wanted(const std::vector<Op>& ops, int channel, int run, int n,
                                 const stb::KvBlocks& kv) {
  std::vector<std::int64_t> units;
  for (const Op& op : ops) {
    const int base = op.values ? op.base : op.base + 2 * kv.first;
    const int tiles = op.values ? HEAD_DIM / stb::kTileRows : 2 * kv.blocks;
    for (int row = 0; row < n * SHARED * (op.values ? stb::kSlices : 1); row += BATCH) {
      for (int tile = 0; tile < tiles; ++tile) {
        if ((base + tile) % CHANNELS != channel) continue;
        const int first = op.values ? kv.first : 0;
        const int end = op.values ? kv.end : stb::ceil_div(HEAD_DIM, stb::kGroup);
        const int number = op.values ? tile : 2 * kv.first + tile;
        for (int part = first; part < end; ++part)
          units.push_back(unit_of(op.values, run, op.head, number, part));
      }
    }
  }
  return units;
}

// What its reader sends.
template <int KV_HEADS, int SHARED, int HEAD_DIM, int CONTEXT, int CHANNELS, int BATCH>
std::vector<std::int64_t> sent(const Region& region, int channel, int run, int n, const stb::KvBlocks& kv) {
  using Heads = stb::KvHeads<KV_HEADS, SHARED, HEAD_DIM>;
  std::vector<std::int64_t> units;
  stb::KvRead step = {0, 0, 0, 0};
  for (bool last = kv.blocks == 0; !last;) {
    const stb::KvPiece piece =
        stb::kv_piece<Heads, CONTEXT, CHANNELS, BATCH, kLookahead>(step, channel, kRuns, run, n, kv);
    for (int u = 0; u < piece.words / kUnit; ++u) units.push_back(region[channel].at(piece.at / kUnit + u));
    last = piece.last;
  }
  return units;
}

// Launches at random places of the context, with and without windows.
template <int KV_HEADS, int SHARED, int HEAD_DIM, int CONTEXT, int CHANNELS, int BATCH>
void check(std::int64_t words, const std::vector<Op>& ops) {
  const Region region = full_cache<KV_HEADS, SHARED, HEAD_DIM, CONTEXT, CHANNELS>(words);
  std::mt19937 draws(1);
  for (int i = 0; i < 40; ++i) {
    const int pos = static_cast<int>(draws() % CONTEXT);
    const int n = i % 4 == 0 ? 1 : 1 + static_cast<int>(draws() % std::min(40, CONTEXT - pos));
    for (int run = 0; run < kRuns; ++run)
      windows()[run] = i % 3 == 0 ? 32768 : 1 + static_cast<int>(draws() % (CONTEXT + 9));
    for (int channel = 0; channel < CHANNELS; ++channel) {
      std::int64_t count = 0;
      for (int run = 0; run < kRuns; ++run) {
        const stb::KvBlocks kv = stb::blocks_of(pos, n, Windows::at(run));
        const auto found =
            sent<KV_HEADS, SHARED, HEAD_DIM, CONTEXT, CHANNELS, BATCH>(region, channel, run, n, kv);
        expect(found == wanted<SHARED, HEAD_DIM, CHANNELS, BATCH>(ops, channel, run, n, kv),
               "the reader sends other tiles");
        count += kUnit * static_cast<std::int64_t>(found.size());
      }
      const std::int64_t said =
          stb::kv_tile_words<KV_HEADS, SHARED, HEAD_DIM, CONTEXT, CHANNELS, BATCH, Windows>(channel, kRuns, n,
                                                                                            pos);
      expect(said == count, "the reader says another number of words");
    }
  }
}

}  // namespace kv_tiles
