// The tiles of keys and values between the weights of a channel: what its reader sends in a launch, in order.
#pragma once

#include "stb/kv_blocks.hpp"
#include "stb/memory.hpp"

namespace stb {

// A step through the reads of one run for one channel, in the order of the engine's ops: LOOKAHEAD ops of
// keys, then in turn one of keys, if any, and one of values.
struct KvRead {
  int keys;    // the head whose keys come next
  int values;  // the head whose values come next
  int repeat;  // of the op
  int round;   // V tile of the head in the channel
};

// How often an op is sent to the engine.
struct KvRepeats {
  int keys;
  int values;
};

// Batches of `rows` vectors.
template <int BATCH>
inline int batches_of(int rows) {
  return quotient_by<BATCH>(rows + BATCH - 1);
}

template <int SHARED, int BATCH>
inline KvRepeats repeats_of(int n) {
  return KvRepeats{batches_of<BATCH>(n * SHARED), batches_of<BATCH>(kSlices * n * SHARED)};
}

template <int KV_HEADS, int LOOKAHEAD>
inline bool reads_keys(const KvRead& step) {
  return step.keys < KV_HEADS && step.keys <= step.values + LOOKAHEAD;
}

// The V tiles of a channel that are before those of a head.
template <typename LAYOUT, int CHANNELS>
inline int value_rounds(int head, int channel) {
  return quotient_by<CHANNELS>(head * LAYOUT::kValueTiles + CHANNELS - 1 - channel);
}

// The K tiles `begin` to `end` of a channel are those of `tiles` first tiles.
template <typename LAYOUT, int CHANNELS>
inline int key_rounds(int head, int channel, int tiles) {
  const int from = channel - LAYOUT::key_base(head);
  const int first = from < 0 ? from + CHANNELS : from;
  return first >= tiles ? 0 : quotient_by<CHANNELS>(tiles - first - 1) + 1;
}

// One read of a channel's cache; `last` is true for the last one of the run.
struct KvPiece {
  std::int64_t at;
  int words;
  bool last;
};

// The read of `step`, which goes on to the next one. HEADS: KvHeads.
template <typename HEADS, int CONTEXT, int CHANNELS, int BATCH, int LOOKAHEAD>
inline KvPiece kv_piece(KvRead& step, int channel, int runs, int run, int n, const KvBlocks& kv) {
  using Layout = KvLayout<HEADS::kKvHeads, HEADS::kHeadDim, CONTEXT, CHANNELS>;
  const KvRepeats repeats = repeats_of<HEADS::kShared, BATCH>(n);
  const bool keys = reads_keys<HEADS::kKvHeads, LOOKAHEAD>(step);
  const int head = keys ? step.keys : step.values;
  const int begin = keys ? key_rounds<Layout, CHANNELS>(head, channel, 2 * kv.first)
                         : value_rounds<Layout, CHANNELS>(head, channel) + step.round;
  const int end = keys ? key_rounds<Layout, CHANNELS>(head, channel, 2 * kv.end)
                       : value_rounds<Layout, CHANNELS>(head + 1, channel);
  KvPiece piece;
  piece.at = keys ? Layout::key_word(run, head, begin) : Layout::value_word(runs, run, begin, kv.first);
  piece.words = keys ? (end - begin) * Layout::kKeyWords : begin < end ? kv.blocks * kSquareWords : 0;
  const bool tiles_end = keys || begin + 1 >= end;
  const bool op_ends = tiles_end && step.repeat + 1 == (keys ? repeats.keys : repeats.values);
  step.round = tiles_end ? 0 : step.round + 1;
  step.repeat = op_ends ? 0 : tiles_end ? step.repeat + 1 : step.repeat;
  step.keys = keys && op_ends ? step.keys + 1 : step.keys;
  step.values = !keys && op_ends ? step.values + 1 : step.values;
  piece.last = step.values == HEADS::kKvHeads;
  return piece;
}

// The words of all runs' tiles that a channel's reader sends in a launch.
template <int KV_HEADS, int SHARED, int HEAD_DIM, int CONTEXT, int CHANNELS, int BATCH, typename WINDOWS>
inline std::int64_t kv_tile_words(int channel, int runs, int n, int pos) {
  using Layout = KvLayout<KV_HEADS, HEAD_DIM, CONTEXT, CHANNELS>;
  const KvRepeats repeats = repeats_of<SHARED, BATCH>(n);
  std::int64_t words = 0;
  STB_ENTER(kPlanDepth)
counted_heads:
  for (RunHead at = {0, 0}; at.run < runs; at = step_after<KV_HEADS>(at)) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const KvBlocks kv = blocks_of(pos, n, WINDOWS::at(at.run));
    const int keys = key_rounds<Layout, CHANNELS>(at.head, channel, 2 * kv.end) -
                     key_rounds<Layout, CHANNELS>(at.head, channel, 2 * kv.first);
    const int values = value_rounds<Layout, CHANNELS>(at.head + 1, channel) -
                       value_rounds<Layout, CHANNELS>(at.head, channel);
    words += repeats.keys * keys * Layout::kKeyWords + repeats.values * values * kv.blocks * kSquareWords;
  }
  return words;
}

// The words of weights of a channel in a run, up to an attention op or the run's end: of each set of linear
// ops that read one vector.
template <std::int64_t FIRST, std::int64_t... OTHERS>
struct WeightSets {
  enum : int { kSets = 1 + sizeof...(OTHERS) };
  static constexpr std::int64_t words() { return FIRST + WeightSets<OTHERS...>::words(); }
  static std::int64_t words_of(int set) {
    static const std::int64_t words[kSets] = {FIRST, OTHERS...};
    return words[set];
  }
};
template <std::int64_t LAST>
struct WeightSets<LAST> {
  enum : int { kSets = 1 };
  static constexpr std::int64_t words() { return LAST; }
  static std::int64_t words_of(int) { return LAST; }
};

// An attention op in the runs of a block: its tiles lie from word TILES on in the region of a channel; the
// weights BEFORE, WeightSets, come before them.
template <typename HEADS, std::int64_t TILES, typename BEFORE, typename WINDOWS = WholeContext>
struct KvOp {};

// What a channel's reader needs to know of a launch, and a step through its reads of a block: in each run
// part by part, of each its weights, then its tiles.
struct RunReads {
  int channel;
  int runs;
  int n;
  int pos;
  int batches;
};

struct RunRead {
  int run;
  int part;
  bool tiles;
  int set;    // of weights
  int batch;  // for which they are read
  KvRead kv;
  std::int64_t at;  // of the weights
};

inline RunRead part_of(int run, int part, std::int64_t at) {
  return RunRead{run, part, false, 0, 0, {0, 0, 0, 0}, at};
}

// `words` words from `at` on of the weights, or of the tiles.
struct ChannelPiece {
  bool tiles;
  std::int64_t at;
  std::int64_t words;
};

// A read of weights; `ends` for the last one of the part.
struct WeightPiece {
  std::int64_t at;
  std::int64_t words;
  bool ends;
};

// The read of `step`, which goes on to the next one: all sets at once for one batch, else set by set, each
// for all batches.
template <typename SETS>
inline WeightPiece weight_piece(RunRead& step, int batches) {
  const bool whole = batches == 1;
  const WeightPiece piece = {step.at, whole ? SETS::words() : SETS::words_of(step.set),
                             whole || (step.batch + 1 == batches && step.set + 1 == SETS::kSets)};
  const bool set_ends = step.batch + 1 == batches;
  step.at = set_ends ? step.at + piece.words : step.at;
  step.batch = set_ends ? 0 : step.batch + 1;
  step.set = set_ends ? step.set + 1 : step.set;
  return piece;
}

// The reads of the parts from number `part` on; behind the last op, the weights AFTER.
template <int CONTEXT, int CHANNELS, int BATCH, int LOOKAHEAD, typename AFTER, typename... Ops>
struct RunParts {
  static ChannelPiece next(RunRead& step, int, const RunReads& launch) {
    const WeightPiece piece = weight_piece<AFTER>(step, launch.batches);
    if (piece.ends) step = part_of(step.run + 1, 0, step.at);
    return ChannelPiece{false, piece.at, piece.words};
  }
};

template <int CONTEXT, int CHANNELS, int BATCH, int LOOKAHEAD, typename AFTER, typename HEADS,
          std::int64_t TILES, typename BEFORE, typename WINDOWS, typename... Rest>
struct RunParts<CONTEXT, CHANNELS, BATCH, LOOKAHEAD, AFTER, KvOp<HEADS, TILES, BEFORE, WINDOWS>, Rest...> {
  static ChannelPiece next(RunRead& step, int part, const RunReads& launch) {
    if (step.part > part) {
      return RunParts<CONTEXT, CHANNELS, BATCH, LOOKAHEAD, AFTER, Rest...>::next(step, part + 1, launch);
    }
    const KvBlocks kv = blocks_of(launch.pos, launch.n, WINDOWS::at(step.run));
    if (!step.tiles) {
      const WeightPiece weights = weight_piece<BEFORE>(step, launch.batches);
      if (weights.ends && kv.blocks == 0) step = part_of(step.run, part + 1, step.at);
      step.tiles = weights.ends && kv.blocks > 0;
      return ChannelPiece{false, weights.at, weights.words};
    }
    const KvPiece piece = kv_piece<HEADS, CONTEXT, CHANNELS, BATCH, LOOKAHEAD>(
        step.kv, launch.channel, launch.runs, step.run, launch.n, kv);
    if (piece.last) step = part_of(step.run, part + 1, step.at);
    return ChannelPiece{true, TILES + piece.at, piece.words};
  }
};

// Of all runs of a block what channel CHANNEL gives in a launch, in the order of the engine's ops: weights
// from `at` on, those of each set once for each batch, and before the weights of later ops the tiles of each
// attention op, from `tiles_mem`. OPS: KvOp, in order; AFTER: the weights of a run behind the last of them.
// One loop over all reads.
template <int RUNS, int CHANNEL, int CONTEXT, int CHANNELS, int BATCH, int LOOKAHEAD, typename AFTER,
          typename... OPS>
void send_runs(const Word* weights_mem, std::int64_t at, const Word* tiles_mem, int n, int pos,
               Port<Word>& out) {
  using Parts = RunParts<CONTEXT, CHANNELS, BATCH, LOOKAHEAD, AFTER, OPS...>;
  const RunReads launch = {CHANNEL, RUNS, n, pos, batches_of<BATCH>(n)};
  RunRead step = part_of(0, 0, at);
run_reads:
  while (step.run < RUNS) {
    const ChannelPiece piece = Parts::next(step, 0, launch);
    if (piece.tiles) {
      send(tiles_mem, piece.at, piece.words, out);
    } else {
      send(weights_mem, piece.at, piece.words, out);
    }
  }
}

}  // namespace stb
