// The router: quantised vectors from the segments to the compute units, result tiles back to them.
#pragma once

#include "stb/activations.hpp"
#include "stb/descriptor.hpp"
#include "stb/ports.hpp"

namespace stb {

// The lanes of each compute unit: UnitLanes<8, 10, 10>.
template <int FIRST, int... OTHERS>
struct UnitLanes {
  static const int kUnits = 1 + sizeof...(OTHERS);
  static const int kChannels = FIRST + UnitLanes<OTHERS...>::kChannels;
  static constexpr int at(int unit) { return unit == 0 ? FIRST : UnitLanes<OTHERS...>::at(unit - 1); }
};
template <int LAST>
struct UnitLanes<LAST> {
  static const int kUnits = 1;
  static const int kChannels = LAST;
  static constexpr int at(int) { return LAST; }
};

// A step through vectors of `groups` words: one comes in while the one before goes out.
struct VectorStep {
  int vector;
  int group;
  int slot;  // of the one that comes in
};

inline VectorStep step_after(const VectorStep& step, int groups) {
  if (step.group + 1 < groups) return VectorStep{step.vector, step.group + 1, step.slot};
  return VectorStep{step.vector + 1, 0, 1 - step.slot};
}

// Reads the vectors of `op` from its source and sends each, prepared, to every unit. A vector goes out once
// it has come in, since its words are prepared with the greatest of its exponents.
// Ports: SOURCES sources, the collector's descriptors, then per unit descriptors and activations.
template <int SOURCES, int UNITS, int KMAX, typename... Ports>
void dispatch_vectors(const LinearOp& op, Ports&... ports) {
  Word vectors[2][KMAX / kGroup];
  STB_BIND(vectors, bram)
  STB_DISTANCE(vectors, 1)
  const int steps = op.groups * (op.tokens + 1);
  int exponent = 0;
  int greatest = 0;  // of the vector that goes out
  VectorStep step = {0, 0, 0};
  STB_ENTER(kPrepareDepth)
groups:
  for (int i = 0; i < steps; ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    if (step.vector > 0) {
      write_each<SOURCES + 2, UNITS, 2>(prepare(vectors[1 - step.slot][step.group], greatest), ports...);
    }
    if (step.vector < op.tokens) {
      const Word w = PortRange<0, SOURCES>::read(op.source, ports...);
      vectors[step.slot][step.group] = w;
      const int before = step.group == 0 ? 0 : exponent;
      exponent = group_exponent(w) > before ? group_exponent(w) : before;
      if (step.group + 1 == op.groups) greatest = exponent;
    }
    step = step_after(step, op.groups);
  }
}

// The activations of a raw op pass straight through.
template <int SOURCES, int UNITS, typename... Ports>
void dispatch_raw(const LinearOp& op, Ports&... ports) {
  STB_ENTER(kPrepareDepth)
raw_groups:
  for (int i = 0; i < op.groups * op.tokens; ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    const Word w = PortRange<0, SOURCES>::read(op.source, ports...);
    write_each<SOURCES + 2, UNITS, 2>(prepare_raw(w, op.unsigned_act), ports...);
  }
}

template <int SOURCES, typename LANES, typename... Ports>
void dispatch_descriptor(const Word& word, Ports&... ports) {
  Word with_channels = word;
  const int tiles = lane(word, 4);
  set_lane(with_channels, kChannelsLane, LANES::kChannels);
  set_lane(with_channels, kRoundsLane,
           quotient_by<LANES::kChannels>(tiles) | (rest_by<LANES::kChannels>(tiles) << 16));
  PortRange<SOURCES, 1>::write(0, with_channels, ports...);
  int first = 0;
units:
  for (int u = 0; u < LANES::kUnits; ++u) {
    set_lane(with_channels, kFirstChannelLane, first);
    PortRange<SOURCES + 1, LANES::kUnits, 2>::write(u, with_channels, ports...);
    first += LANES::at(u);
  }
}

// Hands every descriptor to the collector and the units, and the activations of ops that load to the units.
// Ports: SOURCES sources, the collector's descriptors, then per unit descriptors and activations.
template <int SOURCES, typename LANES, int KMAX, typename... Ports>
void dispatch(Port<Word>& desc, Ports&... ports) {
  constexpr int kUnits = LANES::kUnits;
  static_assert(sizeof...(Ports) == SOURCES + 1 + 2 * kUnits, "sources, the collector, two ports per unit");
  bool more = true;
ops:
  while (more) {
    const Word word = desc.read();
    const LinearOp op = linear_op(word);
    more = is_linear(word);
    dispatch_descriptor<SOURCES, LANES>(word, ports...);
    if (more && op.raw) {
      dispatch_raw<SOURCES, kUnits>(op, ports...);
    } else if (more && op.load) {
      dispatch_vectors<SOURCES, kUnits, KMAX>(op, ports...);
    }
  }
}

// A step through the results of an op as they come: tile after tile, of each all tokens. Tile r lies in the
// channel after that of tile r - 1; `lane` is the channel's place in its unit.
struct TileStep {
  int tile;
  int token;
  int channel;
  int unit;
  int lane;
};

template <typename LANES>
inline TileStep first_tile(const LinearOp& op) {
  TileStep step = {0, 0, op.base, 0, op.base};
base_unit:
  while (step.lane >= LANES::at(step.unit)) {
    step.lane -= LANES::at(step.unit);
    ++step.unit;
  }
  return step;
}

template <typename LANES>
inline TileStep step_after(const TileStep& step, const LinearOp& op) {
  if (step.token + 1 < op.tokens) {
    return TileStep{step.tile, step.token + 1, step.channel, step.unit, step.lane};
  }
  if (step.channel + 1 == op.channels) return TileStep{step.tile + 1, 0, 0, 0, 0};
  if (step.lane + 1 == LANES::at(step.unit))
    return TileStep{step.tile + 1, 0, step.channel + 1, step.unit + 1, 0};
  return TileStep{step.tile + 1, 0, step.channel + 1, step.unit, step.lane + 1};
}

// One token's results pass straight through. Ports: a result per unit, then the destinations.
template <typename LANES, int DESTINATIONS, typename... Ports>
void collect_one(const LinearOp& op, Ports&... ports) {
  TileStep step = first_tile<LANES>(op);
  STB_ENTER(kMoveDepth)
pass_tiles:
  for (int r = 0; r < op.tiles; ++r) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    const Word result = PortRange<0, LANES::kUnits>::read(step.unit, ports...);
    PortRange<LANES::kUnits, DESTINATIONS>::write(op.destination, result, ports...);
    step = step_after<LANES>(step, op);
  }
}

// Tile-major results of several tokens through `buffer`, out token by token.
template <typename LANES, int DESTINATIONS, int BATCH, int MAX_TILES, typename... Ports>
void collect_batch(const LinearOp& op, Word (&buffer)[BATCH * MAX_TILES], Ports&... ports) {
  const int words = op.tiles * op.tokens;
  TileStep step = first_tile<LANES>(op);
  int at = 0;
  STB_ENTER(kMoveDepth)
store_tiles:
  for (int i = 0; i < words; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    buffer[at] = PortRange<0, LANES::kUnits>::read(step.unit, ports...);
    at = step.token + 1 < op.tokens ? at + MAX_TILES : step.tile + 1;
    step = step_after<LANES>(step, op);
  }
  int tile = 0;
  int first = 0;
  STB_ENTER(kStoreDepth)
send_tiles:
  for (int i = 0; i < words; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    PortRange<LANES::kUnits, DESTINATIONS>::write(op.destination, buffer[first + tile], ports...);
    const bool last = tile + 1 == op.tiles;
    tile = last ? 0 : tile + 1;
    first = last ? first + MAX_TILES : first;
  }
}

// Brings the units' tiles into token-major order and sends each op's result to its destination.
// Ports: a result per unit, then the destinations. Ops of several tokens have at most MAX_TILES tiles.
template <typename LANES, int DESTINATIONS, int BATCH, int MAX_TILES, typename... Ports>
void collect(Port<Word>& desc, Ports&... ports) {
  static_assert(sizeof...(Ports) == LANES::kUnits + DESTINATIONS, "one port per unit, one per destination");
  Word buffer[BATCH * MAX_TILES];
  STB_BIND(buffer, uram)
ops:
  for (Word word = desc.read(); is_linear(word); word = desc.read()) {
    const LinearOp op = linear_op(word);
    if (op.tokens == 1) {
      collect_one<LANES, DESTINATIONS>(op, ports...);
    } else {
      collect_batch<LANES, DESTINATIONS, BATCH, MAX_TILES>(op, buffer, ports...);
    }
  }
}

}  // namespace stb
