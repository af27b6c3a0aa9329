// The KV cache beside the readers of the channels: a process that reads records and scales, one that writes.
//
// Both serve all attention ops of a design: run by run, of each run op by op, in the order of the schedule.
#pragma once

#include "stb/kv_blocks.hpp"
#include "stb/memory.hpp"

namespace stb {

// An attention op of a block: its records lie from word RECORDS on in the region `kv`, [run][position],
// behind them its scales; its tiles from word TILES on in the regions of the channels.
template <typename HEADS, std::int64_t RECORDS, std::int64_t TILES, typename WINDOWS = WholeContext>
struct KvCache {};

template <typename HEADS, std::int64_t RECORDS, int RUNS, int CONTEXT>
struct KvWords {
  using Layout = KvLayout<HEADS::kKvHeads, HEADS::kHeadDim, CONTEXT, 1>;
  static std::int64_t record(int run, int position) {
    return RECORDS + (static_cast<std::int64_t>(run) * CONTEXT + position) * HEADS::kRecordWords;
  }
  static std::int64_t scale(int run, int head, int block) {
    return record(RUNS, 0) + Layout::scale_word(run, head, block);
  }
};

// A step through what a launch reads of the ops of a block: of each op its recent records, then head by head
// the scales of the full blocks.
struct CacheRead {
  int run;
  int op;
  int piece;  // 0: the records; 1 + head: its scales
};

// The reads of the ops from number `op` on.
template <int RUNS, int CONTEXT, typename... OPS>
struct CacheReads {
  static void send_next(CacheRead&, int, int, int, const Word*) {}
};

template <int RUNS, int CONTEXT, typename HEADS, std::int64_t RECORDS, std::int64_t TILES, typename WINDOWS,
          typename... Rest>
struct CacheReads<RUNS, CONTEXT, KvCache<HEADS, RECORDS, TILES, WINDOWS>, Rest...> {
  using Words = KvWords<HEADS, RECORDS, RUNS, CONTEXT>;

  template <typename... Streams>
  static void send_next(CacheRead& step, int op, int n, int pos, const Word* mem, Port<Word>& records,
                        Port<Word>& scales, Streams&... rest) {
    STB_INLINE
    if (step.op > op) {
      CacheReads<RUNS, CONTEXT, Rest...>::send_next(step, op + 1, n, pos, mem, rest...);
      return;
    }
    const KvBlocks kv = blocks_of(pos, n, WINDOWS::at(step.run));
    if (step.piece == 0) {
      send(mem, Words::record(step.run, pos - kv.recent_old), kv.recent_old * HEADS::kRecordWords, records);
    } else {
      send(mem, Words::scale(step.run, step.piece - 1, kv.first), 2 * kv.blocks, scales);
    }
    step = after(step, kv.blocks > 0 ? int(HEADS::kKvHeads) : 0);
  }

  static CacheRead after(const CacheRead& step, int last) {
    if (step.piece < last) return CacheRead{step.run, step.op, step.piece + 1};
    if (sizeof...(Rest) > 0) return CacheRead{step.run, step.op + 1, 0};
    return CacheRead{step.run + 1, 0, 0};
  }
};

// What a launch reads of the attention ops of a block beside the tiles. OPS: KvCache, in order; `streams` has
// for each of them that of its records and that of its scales. One loop over all reads.
template <int RUNS, int CONTEXT, typename... OPS, typename... Streams>
void read_kv(const Word* mem, int n, int pos, Streams&... streams) {
  static_assert(sizeof...(Streams) == 2 * sizeof...(OPS), "two streams for each attention op");
  CacheRead step = {0, 0, 0};
cache_reads:
  while (step.run < RUNS) {
    CacheReads<RUNS, CONTEXT, OPS...>::send_next(step, 0, n, pos, mem, streams...);
  }
}

// Where words go: memory 0 has records and scales, memory 1 + c the tiles of channel c.
struct KvPlace {
  int memory;
  std::int64_t word;
  int words;
};

// `to.words` words to memory number `to.memory` of those behind SKIPPED streams.
template <int SKIPPED>
struct Memories {
  template <typename... Rest>
  static void receive_to(const KvPlace& to, Port<Word>& in, Port<Word>&, Rest&... rest) {
    STB_INLINE
    Memories<SKIPPED - 1>::receive_to(to, in, rest...);
  }
};

template <>
struct Memories<0> {
  static void receive_to(const KvPlace&, Port<Word>&) {}
  template <typename... Rest>
  static void receive_to(const KvPlace& to, Port<Word>& in, Word* first, Rest*... rest) {
    STB_INLINE
    if (to.memory == 0) {
      receive(first, to.word, to.words, in);
    } else {
      receive_to(KvPlace{to.memory - 1, to.word, to.words}, in, rest...);
    }
  }
};

// A step through what a launch writes of the ops of a block: of each op the launch's own records, then of
// each block that the launch completes, head by head, two K tiles, the V tiles and the scales.
struct CacheWrite {
  int run;
  int op;
  int block;
  int head;
  int piece;  // -1: the records
};

template <int RUNS, int CONTEXT, int CHANNELS, typename HEADS, std::int64_t RECORDS, std::int64_t TILES>
struct OpWrites {
  using Layout = KvLayout<HEADS::kKvHeads, HEADS::kHeadDim, CONTEXT, CHANNELS>;
  using Words = KvWords<HEADS, RECORDS, RUNS, CONTEXT>;
  enum : int { kScales = 2 + Layout::kValueTiles };  // the last piece

  static KvPlace place_of(const CacheWrite& at, int pos, int n) {
    if (at.piece < 0) return KvPlace{0, Words::record(at.run, pos), n * HEADS::kRecordWords};
    if (at.piece == kScales) return KvPlace{0, Words::scale(at.run, at.head, at.block), 2};
    if (at.piece < 2) {
      const int tile = 2 * at.block + at.piece;
      const std::int64_t word = Layout::key_word(at.run, at.head, quotient_by<CHANNELS>(tile));
      const int channel = rest_by<CHANNELS>(Layout::key_base(at.head) + tile);
      return KvPlace{1 + channel, TILES + word, Layout::kKeyWords};
    }
    const int tile = at.head * Layout::kValueTiles + at.piece - 2;
    const int round = quotient_by<CHANNELS>(tile);
    const std::int64_t word = Layout::value_word(RUNS, at.run, round, at.block);
    return KvPlace{1 + rest_by<CHANNELS>(tile), TILES + word, kSquareWords};
  }

  // The next step, if the op has one.
  static CacheWrite after(const CacheWrite& at) {
    if (at.piece < kScales) return CacheWrite{at.run, at.op, at.block, at.head, at.piece + 1};
    if (at.head < HEADS::kKvHeads - 1) return CacheWrite{at.run, at.op, at.block, at.head + 1, 0};
    return CacheWrite{at.run, at.op, at.block + 1, 0, 0};
  }

  // Whether the op ends with a step; `end` is behind the last block that the launch completes.
  static bool ends(const CacheWrite& at, int end) {
    if (at.piece < 0) return at.block == end;
    return at.piece == kScales && at.head == HEADS::kKvHeads - 1 && at.block == end - 1;
  }
};

// The writes of the ops from number `op` on.
template <int RUNS, int CONTEXT, int CHANNELS, typename... OPS>
struct CacheWrites {
  template <typename... Rest>
  static void receive_next(CacheWrite&, int, int, int, Rest&...) {}
};

template <int RUNS, int CONTEXT, int CHANNELS, typename HEADS, std::int64_t RECORDS, std::int64_t TILES,
          typename WINDOWS, typename... Rest>
struct CacheWrites<RUNS, CONTEXT, CHANNELS, KvCache<HEADS, RECORDS, TILES, WINDOWS>, Rest...> {
  using Writes = OpWrites<RUNS, CONTEXT, CHANNELS, HEADS, RECORDS, TILES>;

  template <typename... Operands>
  static void receive_next(CacheWrite& step, int op, int pos, int n, Port<Word>& in, Operands&... rest) {
    STB_INLINE
    if (step.op > op) {
      CacheWrites<RUNS, CONTEXT, CHANNELS, Rest...>::receive_next(step, op + 1, pos, n, rest...);
      return;
    }
    Memories<sizeof...(Rest)>::receive_to(Writes::place_of(step, pos, n), in, rest...);
    if (!Writes::ends(step, (pos + n) / kBlock)) {
      step = Writes::after(step);
    } else {
      const bool last = sizeof...(Rest) == 0;
      step = CacheWrite{last ? step.run + 1 : step.run, last ? 0 : step.op + 1, pos / kBlock, 0, -1};
    }
  }
};

// What a launch writes of the attention ops of a block: records, and the blocks that it completes. OPS:
// KvCache, in order; `operands` are their streams, then the region of records and scales, then those of the
// CHANNELS. One loop over all writes.
template <int RUNS, int CONTEXT, int CHANNELS, typename... OPS, typename... Operands>
void write_kv(int pos, int n, Operands&... operands) {
  static_assert(sizeof...(Operands) == sizeof...(OPS) + 1 + CHANNELS, "a pointer for each channel");
  CacheWrite step = {0, 0, pos / kBlock, 0, -1};
cache_writes:
  while (step.run < RUNS) {
    CacheWrites<RUNS, CONTEXT, CHANNELS, OPS...>::receive_next(step, 0, pos, n, operands...);
  }
}

}  // namespace stb
