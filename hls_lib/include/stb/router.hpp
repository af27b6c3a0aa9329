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

// A step through vectors of `groups` words: each comes in, then goes out.
struct VectorStep {
  int group;
  bool out;
};

inline VectorStep step_after(const VectorStep& step, int groups) {
  if (step.group + 1 < groups) return VectorStep{step.group + 1, step.out};
  return VectorStep{0, !step.out};
}

// Reads the vectors of `op` from its source and sends each, prepared, to every unit. A vector goes out once
// it has come in, since its words are prepared with the greatest of its exponents.
// Ports: SOURCES sources, the collector's descriptors, then per unit descriptors and activations.
template <int SOURCES, int UNITS, int KMAX, typename... Ports>
void dispatch_vectors(const LinearOp& op, Ports&... ports) {
  Word vector[KMAX / kGroup];
  STB_BIND(vector, bram)
  STB_DISTANCE(vector, 2)
  const int steps = 2 * op.groups * op.tokens;
  int exponent = 0;
  VectorStep step = {0, false};
  STB_ENTER(kPrepareDepth)
groups:
  for (int i = 0; i < steps; ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    if (step.out) {
      write_each<SOURCES + 2, UNITS, 2>(prepare(vector[step.group], exponent), ports...);
    } else {
      const Word w = PortRange<0, SOURCES>::read(op.source, ports...);
      vector[step.group] = w;
      const int before = step.group == 0 ? 0 : exponent;
      exponent = group_exponent(w) > before ? group_exponent(w) : before;
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

// The collector's store: a row of MAX_TILES words for each token, in which the halves take turns where one
// op's results go out while those of the next one come in.
template <int BATCH, int MAX_TILES>
struct TileStore {
  Word words[BATCH * MAX_TILES];
};

// Where the next word of an op comes in, tile by tile, or goes out, token by token.
struct StorePlace {
  int tile;
  int first;  // of the token's row, or of the half of it
  int at;
};

template <int MAX_TILES>
inline StorePlace first_place(int half) {
  const int first = half * (MAX_TILES / 2);
  return StorePlace{0, first, first};
}

template <int MAX_TILES>
inline StorePlace place_in(const StorePlace& place, bool last_token) {
  if (!last_token) return StorePlace{place.tile, place.first, place.at + MAX_TILES};
  return StorePlace{place.tile + 1, place.first, place.first + place.tile + 1};
}

template <int MAX_TILES>
inline StorePlace place_out(const StorePlace& place, int tiles) {
  if (place.tile + 1 < tiles) return StorePlace{place.tile + 1, place.first, place.at + 1};
  return StorePlace{0, place.first + MAX_TILES, place.first + MAX_TILES};
}

// Tile-major results of several tokens into `store`.
template <typename LANES, int BATCH, int MAX_TILES, typename... Ports>
void store_op(const LinearOp& op, TileStore<BATCH, MAX_TILES>& store, Ports&... ports) {
  TileStep step = first_tile<LANES>(op);
  StorePlace place = first_place<MAX_TILES>(0);
  STB_ENTER(kMoveDepth)
store_tiles:
  for (int i = 0; i < op.tiles * op.tokens; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    store.words[place.at] = PortRange<0, LANES::kUnits>::read(step.unit, ports...);
    place = place_in<MAX_TILES>(place, step.token + 1 == op.tokens);
    step = step_after<LANES>(step, op);
  }
}

// The results in half `half`, token by token.
template <int UNITS, int DESTINATIONS, int BATCH, int MAX_TILES, typename... Ports>
void send_op(const LinearOp& op, int half, const TileStore<BATCH, MAX_TILES>& store, Ports&... ports) {
  StorePlace place = first_place<MAX_TILES>(half);
  STB_ENTER(kStoreDepth)
send_tiles:
  for (int i = 0; i < op.tiles * op.tokens; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    PortRange<UNITS, DESTINATIONS>::write(op.destination, store.words[place.at], ports...);
    place = place_out<MAX_TILES>(place, op.tiles);
  }
}

// The results of `before` out of half `half`, those of `op`, as many at most, into the other one.
template <typename LANES, int DESTINATIONS, int BATCH, int MAX_TILES, typename... Ports>
void exchange_ops(const LinearOp& before, const LinearOp& op, int half, TileStore<BATCH, MAX_TILES>& store,
                  Ports&... ports) {
  const int words = op.tiles * op.tokens;
  TileStep step = first_tile<LANES>(op);
  StorePlace in = first_place<MAX_TILES>(1 - half);
  StorePlace out = first_place<MAX_TILES>(half);
  STB_INDEPENDENT(store.words)
  STB_ENTER(kStoreDepth)
exchange_tiles:
  for (int i = 0; i < before.tiles * before.tokens; ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    if (i < words) {
      store.words[in.at] = PortRange<0, LANES::kUnits>::read(step.unit, ports...);
      in = place_in<MAX_TILES>(in, step.token + 1 == op.tokens);
      step = step_after<LANES>(step, op);
    }
    PortRange<LANES::kUnits, DESTINATIONS>::write(before.destination, store.words[out.at], ports...);
    out = place_out<MAX_TILES>(out, before.tiles);
  }
}

// The op before, and the half of the store where its results are if the next one is another part.
struct StoredOp {
  LinearOp op;
  int half;
};

// Results of several tokens, those of a part behind another one while that goes out.
template <typename LANES, int DESTINATIONS, int BATCH, int MAX_TILES, typename... Ports>
void collect_batch(const LinearOp& op, StoredOp& before, TileStore<BATCH, MAX_TILES>& store,
                   Ports&... ports) {
  int half = 0;
  if (before.op.part_follows) {
    half = 1 - before.half;
    exchange_ops<LANES, DESTINATIONS>(before.op, op, before.half, store, ports...);
  } else {
    store_op<LANES>(op, store, ports...);
  }
  if (!op.part_follows) send_op<LANES::kUnits, DESTINATIONS>(op, half, store, ports...);
  before = StoredOp{op, half};
}

// Brings the units' tiles into token-major order and sends each op's result to its destination.
// Ports: a result per unit, then the destinations. Ops of several tokens have at most MAX_TILES tiles, those
// that come in parts half of it.
template <typename LANES, int DESTINATIONS, int BATCH, int MAX_TILES, typename... Ports>
void collect(Port<Word>& desc, Ports&... ports) {
  static_assert(sizeof...(Ports) == LANES::kUnits + DESTINATIONS, "one port per unit, one per destination");
  TileStore<BATCH, MAX_TILES> store;
  STB_BIND(store.words, uram)
  StoredOp before = {};
ops:
  for (Word word = desc.read(); is_linear(word); word = desc.read()) {
    const LinearOp op = linear_op(word);
    if (op.tokens == 1 && !before.op.part_follows) {
      collect_one<LANES, DESTINATIONS>(op, ports...);
    } else {
      collect_batch<LANES, DESTINATIONS>(op, before, store, ports...);
    }
  }
}

}  // namespace stb
