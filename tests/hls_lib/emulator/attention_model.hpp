// A model of the matmul engine's raw ops, for tests: it takes tiles from the channels and checks the weights.
#pragma once

#include "stb/kv_blocks.hpp"
#include "stb/memory.hpp"
#include "stb/ports.hpp"

namespace stb {

// For the oracle, of each run's region the records before this launch that its first position sees.
template <int RUNS, int CONTEXT, int RECORD, typename WINDOWS>
void read_records(const Word* mem, int pos, Port<Word>& out) {
  for (int run = 0; run < RUNS; ++run) {
    const int first = first_seen(pos, WINDOWS::at(run));
    send(mem, (static_cast<std::int64_t>(run) * CONTEXT + first) * RECORD, (pos - first) * RECORD, out);
  }
}

// Into each run's region the oracle's records of this launch's n positions.
template <int RUNS, int CONTEXT, int RECORD>
void write_records(Word* mem, int pos, int n, Port<Word>& in) {
  for (int run = 0; run < RUNS; ++run) {
    receive(mem, (static_cast<std::int64_t>(run) * CONTEXT + pos) * RECORD, n * RECORD, in);
  }
}

// A value of a tile's square of 8 words.
inline int tile_value(const Word* words, int row, int column) {
  const int at = 4 * row + column % 4;
  const int shift = column % 8 < 4 ? 0 : 4;
  const int low = (byte_at(words[column / 8], at) >> shift) & 15;
  return low + 16 * ((byte_at(words[4 + column / 8], at) >> shift) & 15) - 128;
}

// One row times 16 rows of a tile.
template <bool UNSIGNED>
Word model_sums(const Word* x, const Word* tile, int groups) {
  Word sums = zero_word();
  for (int r = 0; r < kTileRows; ++r) {
    int sum = 0;
    for (int c = 0; c < kGroup * groups; ++c) {
      const int byte = byte_at(x[c / kGroup], c % kGroup);
      const int act = UNSIGNED ? byte : static_cast<std::int8_t>(byte);
      sum += tile_value(tile + c / kGroup * kSquareWords, r, c % kGroup) * act;
    }
    set_lane(sums, r, sum);
  }
  return sums;
}

// One raw op: `rows` rows of `groups` words of 32 bytes, `tiles` tiles from channel `base` on.
template <int CHANNELS, bool UNSIGNED, typename... Ports>
void model_op(int rows, int groups, int tiles, int base, Port<Word>& in, Port<Word>& out, Ports&... kv) {
  static Word x[4096];
  static Word y[65536];
  static Word tile[16384];
  for (int i = 0; i < rows * groups; ++i) x[i] = in.read();
  for (int t = 0; t < tiles; ++t) {
    for (int i = 0; i < kSquareWords * groups; ++i)
      tile[i] = PortRange<0, CHANNELS>::read((base + t) % CHANNELS, kv...);
    for (int row = 0; row < rows; ++row)
      y[row * tiles + t] = model_sums<UNSIGNED>(x + row * groups, tile, groups);
  }
  for (int i = 0; i < rows * tiles; ++i) out.write(y[i]);
}

// A channel gives the words from `at` on; their lanes 0 say where they lie.
template <int CHANNELS, typename... Ports>
void check_weights(int channel, int at, int count, Ports&... kv) {
  for (int i = 0; i < count; ++i) {
    const Word w = PortRange<0, CHANNELS>::read(channel, kv...);
    if (lane(w, 0) != at + i) sim::fail("a channel's weights are out of order");
  }
}

// The same words for each batch.
template <int CHANNELS, typename... Ports>
void check_batches(int batches, int channel, int at, int count, Ports&... kv) {
  for (int b = 0; b < batches; ++b) check_weights<CHANNELS>(channel, at, count, kv...);
}

// The raw ops of all runs, without descriptors. In a run, channel c has two sets of weights before its tiles,
// of c words and of one, and AFTER words behind them, those of the first run from word AT on.
template <int RUNS, int KV_HEADS, int SHARED, int HEAD_DIM, int CHANNELS, int CHUNK, int LOOKAHEAD, int AT,
          int AFTER, typename WINDOWS, typename... Ports>
void model_engine(Port<Cmd>& cmd, Port<Word>& queries, Port<Word>& weights, Port<Word>& products,
                  Port<Word>& sums, Ports&... kv) {
  const Cmd launch = cmd.read();
  const int n = cmd_tokens(launch);
  for (int run = 0; run < RUNS; ++run) {
    const KvBlocks seen = blocks_of(static_cast<int>(cmd_pos(launch)), n, WINDOWS::at(run));
    for (int c = 0; c < CHANNELS; ++c) {
      const int at = AT + run * (c + 1 + AFTER);
      check_batches<CHANNELS>(ceil_div(n, CHUNK), c, at, c, kv...);
      check_batches<CHANNELS>(ceil_div(n, CHUNK), c, at + c, 1, kv...);
    }
    for (int step = 0; seen.blocks > 0 && step < KV_HEADS + LOOKAHEAD; ++step) {
      for (int left = n * SHARED; step < KV_HEADS && left > 0; left -= CHUNK) {
        const int base = step * CHANNELS / KV_HEADS + 2 * seen.first;
        model_op<CHANNELS, false>(min_of(left, CHUNK), ceil_div(HEAD_DIM, kGroup), 2 * seen.blocks, base,
                                  queries, products, kv...);
      }
      const int h = step - LOOKAHEAD;
      for (int left = kSlices * n * SHARED; h >= 0 && left > 0; left -= CHUNK) {
        model_op<CHANNELS, true>(min_of(left, CHUNK), seen.blocks, HEAD_DIM / kTileRows,
                                 h * HEAD_DIM / kTileRows, weights, sums, kv...);
      }
    }
    for (int c = 0; c < CHANNELS; ++c)
      check_batches<CHANNELS>(ceil_div(n, CHUNK), c, AT + run * (c + 1 + AFTER) + c + 1, AFTER, kv...);
  }
}

}  // namespace stb
