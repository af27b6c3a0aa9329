// The matmul compute unit: LANES lanes with a weight channel each, a fan of their inputs, a merger.
//
// Per launch the unit gets the descriptors of all linear ops, then one that is not linear; before an op
// that loads, its activations, token by token in K/32 prepared words. It gives, tile by tile in the order
// of the matrix, one word of 16 int32 per token. A lane keeps K <= KMAX columns of CHUNK tokens. What
// hangs it: weights that are not in the order of the descriptors.
#pragma once

#include "stb/ports.hpp"
#include "stb/tile.hpp"

namespace stb {

// Sends descriptors and activations to the merger and to all lanes; `lanes` are LANES pairs of a
// descriptor port and an activation port.
template <int LANES, typename... Lanes>
void act_fan(Port<Word>& desc, Port<Word>& act, Port<Word>& merge_desc, Lanes&... lanes) {
  static_assert(sizeof...(Lanes) == 2 * LANES, "a lane has a descriptor port and an activation port");
  bool more = true;
ops:
  while (more) {
    const Word word = desc.read();
    const LinearOp op = linear_op(word);
    more = is_linear(word);
    merge_desc.write(word);
    write_each<0, LANES, 2>(word, lanes...);
    const int words = more && op.load ? op.groups * op.tokens : 0;
  activations:
    for (int i = 0; i < words; ++i) {
      STB_FLUSHABLE(1)
      const Word group = act.read();
      write_each<1, LANES, 2>(group, lanes...);
      STB_TICK(1)
    }
  }
}

// Stores the activations of an op: acts[g * tokens + t].
inline void load_activations(Port<Word>& act, const LinearOp& op, Word* acts) {
load_tokens:
  for (int t = 0; t < op.tokens; ++t) {
  load_groups:
    for (int g = 0; g < op.groups; ++g) {
      STB_PIPELINE(1)
      acts[g * op.tokens + t] = act.read();
      STB_TICK(1)
    }
  }
}

// The result word of 16 rows: y = sat(rsr(sum, shift - E)).
inline Word result_word(const std::int64_t (&sums)[kTileRows], int shift) {
  Word word = zero_word();
result_rows:
  for (int r = 0; r < kTileRows; ++r) {
    STB_UNROLL
    set_lane(word, r, sat(rsr(sums[r], shift)));
  }
  return word;
}

template <int CHUNK>
void write_results(const TileSums<CHUNK>& sums, const LinearOp& op, const Word* acts, Port<Word>& out) {
result_tokens:
  for (int t = 0; t < op.tokens; ++t) {
    STB_FLUSHABLE(1)
    out.write(result_word(sums.rows[t], op.shift - exponent_of(acts[t])));
    STB_TICK(1)
  }
}

// Lane LANE of the unit: its tiles of every op, a word per tile and token.
template <int LANE, int KMAX, int CHUNK, int TOKEN_LANES>
void mac_lane(Port<Word>& desc, Port<Word>& act, Port<Word>& weights, Port<Word>& out) {
  static_assert(KMAX % kGroup == 0, "the columns of a matrix are a multiple of 32");
  Word acts[KMAX / kGroup * CHUNK];
  TileSums<CHUNK> sums;
  STB_PARTITION(sums.rows, 2)
ops:
  for (Word word = desc.read(); is_linear(word); word = desc.read()) {
    const LinearOp op = linear_op(word);
    if (op.load) load_activations(act, op, acts);
    const int tiles = tiles_in(op.first_channel + LANE, op);
  tiles:
    for (int i = 0; i < tiles; ++i) {
      multiply_tile<CHUNK, TOKEN_LANES>(weights, op, acts, sums);
      write_results(sums, op, acts, out);
    }
  }
}

// Brings the lanes' result words into the order of the matrix; `ports` are LANES results, then `out`.
template <int LANES, typename... Ports>
void merge(Port<Word>& desc, Ports&... ports) {
  static_assert(sizeof...(Ports) == LANES + 1, "a merger has one port per lane and its result");
ops:
  for (Word word = desc.read(); is_linear(word); word = desc.read()) {
    const LinearOp op = linear_op(word);
    int channel = op.base;
  tiles:
    for (int r = 0; r < op.tiles; ++r) {
      const int lane_index = channel - op.first_channel;
      const bool mine = lane_index >= 0 && lane_index < LANES;
    tokens:
      for (int t = 0; t < (mine ? op.tokens : 0); ++t) {
        STB_FLUSHABLE(1)
        const Word result = PortRange<0, LANES>::read(lane_index, ports...);
        PortRange<LANES, 1>::write(0, result, ports...);
        STB_TICK(1)
      }
      channel = next_channel(channel, op);
    }
  }
}

}  // namespace stb
