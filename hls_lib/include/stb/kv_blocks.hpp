// Blocks of 32 positions of the KV cache: which of them a launch reads, and where their tiles lie in memory.
//
// Full blocks before the launch are multiplied by the matmul engine; the positions behind the last full
// block, the launch's own among them, are the recent ones. docs/machine.md (KV cache) describes the tiles.
#pragma once

#include "stb/math.hpp"
#include "stb/types.hpp"
#include "stb/window.hpp"

namespace stb {

constexpr int kBlock = 32;       // positions of a block
constexpr int kOldRecents = 31;  // at most so many positions before a launch are in no full block
constexpr int kBanks = 4;  // recent positions that are multiplied in a cycle: each has a memory of its own
constexpr int kSquareWords = 8;  // words with 16 rows and 32 columns in two planes
constexpr int kSlices = 3;       // bytes of a weight of attention

// The heads of an attention op: of k and v, of q for each of them, their dimension; words of a record.
template <int KV_HEADS, int SHARED, int HEAD_DIM>
struct KvHeads {
  enum : int {
    kKvHeads = KV_HEADS,
    kShared = SHARED,
    kHeadDim = HEAD_DIM,
    kRecordWords = 2 * KV_HEADS * ceil_div(HEAD_DIM, kWordBytes) + ceil_div(KV_HEADS, kWordBytes / 4)
  };
};

// What a launch of n tokens from position pos sees of the cache, with a window.
struct KvBlocks {
  int first;         // block that it reads
  int blocks;        // how many it reads
  int end;           // the block behind them; its first position is the first recent one
  int recent_old;    // recent positions before the launch
  int recents;       // all recent positions
  int recent_words;  // words of 16 of them
};

inline KvBlocks blocks_of(int pos, int n, int window) {
  KvBlocks kv;
  kv.first = first_seen(pos, window) / kBlock;
  kv.end = pos / kBlock;
  kv.blocks = kv.end - kv.first;
  kv.recent_old = pos % kBlock;
  kv.recents = kv.recent_old + n;
  kv.recent_words = (kv.recents + kLanes - 1) / kLanes;
  return kv;
}

// Words of 16 positions from the first block to the last recent position.
inline int position_words(const KvBlocks& kv) { return 2 * kv.blocks + kv.recent_words; }

// A step through the heads of k and v of all runs.
struct RunHead {
  int run;
  int head;
};

template <int KV_HEADS>
inline RunHead step_after(const RunHead& step) {
  if (step.head < KV_HEADS - 1) return RunHead{step.run, step.head + 1};
  return RunHead{step.run + 1, 0};
}

// The tiles of one attention op in the region of a channel, of all its runs and heads.
template <int KV_HEADS, int HEAD_DIM, int CONTEXT, int CHANNELS>
struct KvLayout {
  enum : int {
    kBlocks = ceil_div(CONTEXT, kBlock),
    kKeyWords = ceil_div(HEAD_DIM, kGroup) * kSquareWords,  // of a K tile
    kKeyRounds = ceil_div(2 * kBlocks, CHANNELS),           // K tiles of a head in a channel
    kValueTiles = HEAD_DIM / kTileRows,
    kValueRounds = ceil_div(KV_HEADS * kValueTiles, CHANNELS)  // V tiles of all heads in a channel
  };

  // The channel of a head's first tile of keys.
  static int key_base(int head) { return quotient_by<KV_HEADS>(head * CHANNELS); }

  // The first word of a head's K tile number `round` of the channel.
  static std::int64_t key_word(int run, int head, int round) {
    return (static_cast<std::int64_t>(run * KV_HEADS + head) * kKeyRounds + round) * kKeyWords;
  }

  // The word of a block in V tile number `round` of the channel, of an op of `runs` runs. All heads' V tiles
  // go round the channels one behind the other.
  static std::int64_t value_word(int runs, int run, int round, int block) {
    const std::int64_t tile = static_cast<std::int64_t>(run) * kValueRounds + round;
    return key_word(runs, 0, 0) + (tile * kBlocks + block) * kSquareWords;
  }

  // The first word of a head's scales of block `block` in the region of scales.
  static std::int64_t scale_word(int run, int head, int block) {
    return (static_cast<std::int64_t>(run * KV_HEADS + head) * kBlocks + block) * 2;
  }
};

}  // namespace stb
