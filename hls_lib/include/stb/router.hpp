// The router: quantised vectors from the segments to the compute units, result tiles back to them.
#pragma once

#include "stb/activations.hpp"
#include "stb/descriptor.hpp"
#include "stb/ports.hpp"

namespace stb {

// Reads one token's vector of `groups` words from a source and sends it prepared to every unit.
// Ports: SOURCES sources, the collector's descriptors, then per unit descriptors and activations.
template <int SOURCES, int UNITS, int KMAX, typename... Ports>
void dispatch_vector(int source, int groups, Ports&... ports) {
  Word vector[KMAX / kGroup];
  int exponent = 0;
read_groups:
  for (int g = 0; g < groups; ++g) {
    STB_PIPELINE(1)
    vector[g] = PortRange<0, SOURCES>::read(source, ports...);
    exponent = group_exponent(vector[g]) > exponent ? group_exponent(vector[g]) : exponent;
    STB_TICK(1)
  }
send_groups:
  for (int g = 0; g < groups; ++g) {
    STB_PIPELINE(1)
    write_each<SOURCES + 2, UNITS, 2>(prepare(vector[g], exponent), ports...);
    STB_TICK(1)
  }
}

template <int SOURCES, int UNITS, int LANES, typename... Ports>
void dispatch_descriptor(const Word& word, Ports&... ports) {
  Word with_channels = word;
  set_lane(with_channels, kChannelsLane, UNITS * LANES);
  PortRange<SOURCES, 1>::write(0, with_channels, ports...);
units:
  for (int u = 0; u < UNITS; ++u) {
    set_lane(with_channels, kFirstChannelLane, u * LANES);
    PortRange<SOURCES + 1, UNITS, 2>::write(u, with_channels, ports...);
  }
}

// Hands every descriptor to the collector and the units, and the activations of ops that load to the units.
// Ports: SOURCES sources, the collector's descriptors, then per unit descriptors and activations.
template <int SOURCES, int UNITS, int LANES, int KMAX, typename... Ports>
void dispatch(Port<Word>& desc, Ports&... ports) {
  static_assert(sizeof...(Ports) == SOURCES + 1 + 2 * UNITS, "sources, the collector, two ports per unit");
  bool more = true;
ops:
  while (more) {
    const Word word = desc.read();
    const LinearOp op = linear_op(word);
    more = is_linear(word);
    dispatch_descriptor<SOURCES, UNITS, LANES>(word, ports...);
    const int vectors = more && op.load ? op.tokens : 0;
  vectors:
    for (int t = 0; t < vectors; ++t) {
      STB_NO_FLATTEN
      dispatch_vector<SOURCES, UNITS, KMAX>(op.source, op.groups, ports...);
    }
  }
}

// One token's results pass straight through. Ports: UNITS results, then the destinations.
template <int UNITS, int LANES, int DESTINATIONS, typename... Ports>
void collect_one(const LinearOp& op, Ports&... ports) {
  int channel = op.base;
pass_tiles:
  for (int r = 0; r < op.tiles; ++r) {
    STB_FLUSHABLE(1)
    const Word result = PortRange<0, UNITS>::read(channel / LANES, ports...);
    PortRange<UNITS, DESTINATIONS>::write(op.destination, result, ports...);
    channel = next_channel(channel, op);
    STB_TICK(1)
  }
}

// Tile-major results of several tokens through `buffer`, out token by token.
template <int UNITS, int LANES, int DESTINATIONS, int MAX_TILES, typename... Ports>
void collect_chunk(const LinearOp& op, Word* buffer, Ports&... ports) {
  int channel = op.base;
store_tiles:
  for (int r = 0; r < op.tiles; ++r) {
  store_tokens:
    for (int t = 0; t < op.tokens; ++t) {
      STB_PIPELINE(1)
      buffer[t * MAX_TILES + r] = PortRange<0, UNITS>::read(channel / LANES, ports...);
      STB_TICK(1)
    }
    channel = next_channel(channel, op);
  }
send_tokens:
  for (int t = 0; t < op.tokens; ++t) {
  send_tiles:
    for (int r = 0; r < op.tiles; ++r) {
      STB_PIPELINE(1)
      PortRange<UNITS, DESTINATIONS>::write(op.destination, buffer[t * MAX_TILES + r], ports...);
      STB_TICK(1)
    }
  }
}

// Brings the units' tiles into token-major order and sends each op's result to its destination.
// Ports: UNITS results, then the destinations. Ops of several tokens have at most MAX_TILES tiles.
template <int UNITS, int LANES, int DESTINATIONS, int CHUNK, int MAX_TILES, typename... Ports>
void collect(Port<Word>& desc, Ports&... ports) {
  static_assert(sizeof...(Ports) == UNITS + DESTINATIONS, "one port per unit, one per destination");
  Word buffer[CHUNK * MAX_TILES];
ops:
  for (Word word = desc.read(); is_linear(word); word = desc.read()) {
    const LinearOp op = linear_op(word);
    if (op.tokens == 1) {
      collect_one<UNITS, LANES, DESTINATIONS>(op, ports...);
    } else {
      collect_chunk<UNITS, LANES, DESTINATIONS, MAX_TILES>(op, buffer, ports...);
    }
  }
}

}  // namespace stb
