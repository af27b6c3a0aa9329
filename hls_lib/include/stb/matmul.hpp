// The matmul compute unit: LANES lanes with a weight channel each, a fan of their inputs, a merger.
//
// Per launch the unit gets the descriptors of all linear ops, then one that is not linear; before an op
// that loads, its activations, token by token in K/32 prepared words. It gives, tile by tile in the order
// of the matrix, one word of 16 int32 per token. A lane keeps K <= KMAX columns of CHUNK tokens. What
// hangs it: weights that are not in the order of the descriptors.
#pragma once

#include "stb/lane.hpp"
#include "stb/ports.hpp"
#include "stb/prefetch.hpp"

namespace stb {

// A word of activations to the chosen lanes from LANE on; `lanes` are their pairs of ports.
template <int LANE, int LANES>
void write_chosen(const bool (&)[LANES], const Word&) {}
template <int LANE, int LANES, typename... Lanes>
void write_chosen(const bool (&chosen)[LANES], const Word& word, Port<Word>&, Port<Word>& act,
                  Lanes&... lanes) {
  STB_INLINE
  if (chosen[LANE]) act.write(word);
  write_chosen<LANE + 1>(chosen, word, lanes...);
}

// Activations of a raw op, only to the lanes that have tiles of it: those of a head's values are few.
template <int LANES, typename... Lanes>
void raw_fan(const LinearOp& op, Port<Word>& act, Lanes&... lanes) {
  bool chosen[LANES];
  STB_PARTITION(chosen, 1)
raw_lanes:
  for (int l = 0; l < LANES; ++l) {
    STB_UNROLL
    chosen[l] = has_tiles(op.first_channel + l, op);
  }
  STB_ENTER(kMoveDepth)
raw_activations:
  for (int i = 0; i < op.groups * op.tokens; ++i) {
    STB_FLUSHABLE(1)
    const Word group = act.read();
    write_chosen<0>(chosen, group, lanes...);
    STB_TICK(1)
  }
}

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
    if (more && op.raw) raw_fan<LANES>(op, act, lanes...);
    const int words = more && op.load && !op.raw ? op.groups * op.tokens : 0;
    STB_ENTER(kMoveDepth)
  activations:
    for (int i = 0; i < words; ++i) {
      STB_FLUSHABLE(1)
      const Word group = act.read();
      write_each<1, LANES, 2>(group, lanes...);
      STB_TICK(1)
    }
  }
}

// Stores the activations of an op, if there are any: acts[t % TOKEN_LANES][g * passes + t / TOKEN_LANES].
template <int TOKEN_LANES, int ACTS>
void load_activations(Port<Word>& act, const LinearOp& op, int words, Activation (&acts)[TOKEN_LANES][ACTS]) {
  const int passes = (op.tokens + TOKEN_LANES - 1) / TOKEN_LANES;
  int group = 0;
  int token_lane = 0;
  int pass = 0;
  int at = 0;
  STB_ENTER(kMoveDepth)
load_groups:
  for (int i = 0; i < words; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    acts[token_lane][at] = activation_of(act.read());
    const bool last = group + 1 == op.groups;
    const bool round = last && token_lane + 1 == TOKEN_LANES;
    group = last ? 0 : group + 1;
    token_lane = round ? 0 : last ? token_lane + 1 : token_lane;
    pass = round ? pass + 1 : pass;
    at = last ? pass : at + passes;
  }
}

// Lane LANE of the unit: its tiles of every op, a word per tile and token. No weight group has fewer than
// MIN_WORDS words; FABRIC of the token lanes multiply in LUTs.
template <int LANE, int KMAX, int CHUNK, int TOKEN_LANES, int MIN_WORDS, int FABRIC = 0>
void mac_lane(Port<Word>& desc, Port<Word>& act, Port<Word>& weights, Port<Word>& out) {
  static_assert(KMAX % kGroup == 0, "the columns of a matrix are a multiple of 32");
  Activation acts[TOKEN_LANES][KMAX / kGroup * ceil_div(CHUNK, TOKEN_LANES)];
  STB_PARTITION(acts, 1)
  STB_BIND(acts, uram)
ops:
  for (Word word = desc.read(); is_linear(word); word = desc.read()) {
    const LinearOp op = linear_op(word);
    const int tiles = tiles_in(op.first_channel + LANE, op);
    load_activations(act, op, op.load && (!op.raw || tiles > 0) ? op.tokens * op.groups : 0, acts);
    if (tiles > 0) {
      multiply_tiles<CHUNK, TOKEN_LANES, rows_at_once<MIN_WORDS>(), FABRIC>(weights, op, tiles, acts, out);
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
    int token = 0;
    STB_ENTER(kMoveDepth)
  tiles:
    for (int i = 0; i < op.tiles * op.tokens; ++i) {
      STB_FLUSHABLE(1)
      STB_TICK(1)
      const int lane_index = channel - op.first_channel;
      if (lane_index >= 0 && lane_index < LANES) {
        const Word result = PortRange<0, LANES>::read(lane_index, ports...);
        PortRange<LANES, 1>::write(0, result, ports...);
      }
      const bool last = token + 1 == op.tokens;
      token = last ? 0 : token + 1;
      channel = last ? next_channel(channel, op) : channel;
    }
  }
}

}  // namespace stb
