// The descriptor word of one linear op, as the sequencer sends it; docs/machine.md lists the lanes.
#pragma once

#include "stb/types.hpp"

namespace stb {

constexpr int kOpcodeLinear = 1;
constexpr int kHeadOnlyLane = 10;  // in memory: head tokens only; on the way: the number of tokens
constexpr int kFirstChannelLane = 11;
constexpr int kFirstTokenLane = 11;  // in memory, of a linear op: the first token of its batch
constexpr int kPartLane = 11;        // on the way to the collector, of values: 1 if another part follows
constexpr int kChannelsLane = 12;
constexpr int kKindLane = 14;
constexpr int kWindowLane = 15;  // in memory, of a raw op: the window of its run, 0 without one
constexpr int kRoundsLane = 15;  // on the way: tiles / channels, and the rest from bit 16 on

// What an op multiplies. The headers of a linear op hold minima or, in zero-point ops, zero points. The tiles
// of raw ops (keys and values) have no headers: D = 1, M = -128; their activations no scales.
enum OpKind : int { kLinearKind = 0, kKeyKind = 1, kValueKind = 2, kZeroPointKind = 3 };

inline bool is_raw(int kind) { return kind == kKeyKind || kind == kValueKind; }

struct LinearOp {
  int groups;        // K / 32
  int weight_group;  // columns that share a weight scale / 32
  int planes;        // 1: 4-bit weights, 2: 8-bit weights
  int tiles;         // rows / 16
  int rounds;        // tiles that every channel has
  int rest;          // channels that have one more
  int base;          // the channel of tile 0
  bool load;         // read new activations first
  int source;        // of the activations
  int destination;   // of the result
  int shift;         // of the sums, less the activations' exponent E
  int tokens;
  int first_channel;  // of the compute unit that reads this descriptor
  int channels;       // of all compute units
  int exponent;       // B of the weights' scales
  bool zero_points;   // in the headers: M = -D z
  bool raw;           // keys or values
  bool part_follows;  // to the collector: the next op has more rows of these values
  bool unsigned_act;  // the activations are bytes 0..255: slices of the weights of values
};

inline bool is_linear(const Word& word) { return lane(word, 0) == kOpcodeLinear; }

inline LinearOp linear_op(const Word& word) {
  LinearOp op;
  op.groups = lane(word, 1);
  op.weight_group = lane(word, 2);
  op.planes = lane(word, 3);
  op.tiles = lane(word, 4);
  op.rounds = lane(word, kRoundsLane) & 65535;
  op.rest = lane(word, kRoundsLane) >> 16;
  op.base = lane(word, 5);
  op.load = lane(word, 6) != 0;
  op.source = lane(word, 7);
  op.destination = lane(word, 8);
  op.shift = lane(word, 9);
  op.tokens = lane(word, kHeadOnlyLane);
  op.first_channel = lane(word, kFirstChannelLane);
  op.channels = lane(word, kChannelsLane);
  op.exponent = lane(word, 13);
  op.zero_points = lane(word, kKindLane) == kZeroPointKind;
  op.raw = is_raw(lane(word, kKindLane));
  op.part_follows = lane(word, kKindLane) == kValueKind && lane(word, kPartLane) == 1;
  op.unsigned_act = lane(word, kKindLane) == kValueKind;
  return op;
}

// The channel of the next tile.
inline int next_channel(int channel, const LinearOp& op) {
  return channel + 1 == op.channels ? 0 : channel + 1;
}

// The first tile of the op in `channel`, if it has as many.
inline int first_in(int channel, const LinearOp& op) {
  return channel >= op.base ? channel - op.base : channel - op.base + op.channels;
}

// Whether any tile of the op lies in `channel`.
inline bool has_tiles(int channel, const LinearOp& op) { return first_in(channel, op) < op.tiles; }

// How many tiles of the op lie in `channel`.
inline int tiles_in(int channel, const LinearOp& op) {
  return op.rounds + (first_in(channel, op) < op.rest ? 1 : 0);
}

}  // namespace stb
