// The collector with ops of all sizes behind each other: linear ones, and values in parts; every destination
// must get the words of each op token by token.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "../../../hls_lib/sim/scheduler.hpp"
#include "stb/router.hpp"
#include "stb/stream.hpp"

namespace {

using stb::Port;
using stb::UnitLanes;
using stb::Word;
using Words = std::vector<Word>;

constexpr int kDestinations = 2;
constexpr int kUnits = 3;

std::function<void()> next_launch;
std::mt19937 draws(1);
int launches = 0;

int drawn(int least, int most) {
  return least + static_cast<int>(draws() % static_cast<unsigned>(most - least + 1));
}

// What goes in and must come out.
struct Traffic {
  Words descriptors;
  Words tiles[kUnits];
  Words results[kDestinations];
};

struct Op {
  bool values;
  int tiles;
  int base;
  int destination;
};

Word result_of(int op, int tile, int token) {
  Word word = stb::zero_word();
  stb::set_lane(word, 0, op);
  stb::set_lane(word, 1, tile);
  stb::set_lane(word, 2, token);
  return word;
}

template <typename LANES>
int unit_of(int channel) {
  int unit = 0;
  for (; channel >= LANES::at(unit); ++unit) channel -= LANES::at(unit);
  return unit;
}

template <typename LANES>
void add_part(Traffic& traffic, const Op& op, int tokens, bool part_follows) {
  Word word = stb::zero_word();
  stb::set_lane(word, 0, stb::kOpcodeLinear);
  stb::set_lane(word, 4, op.tiles);
  stb::set_lane(word, 5, op.base);
  stb::set_lane(word, 8, op.destination);
  stb::set_lane(word, stb::kHeadOnlyLane, tokens);
  stb::set_lane(word, stb::kPartLane, part_follows ? 1 : 0);
  stb::set_lane(word, stb::kChannelsLane, LANES::kChannels);
  stb::set_lane(word, stb::kKindLane, op.values ? stb::kValueKind : drawn(0, 1));
  const int number = static_cast<int>(traffic.descriptors.size());
  traffic.descriptors.push_back(word);
  for (int i = 0; i < op.tiles * tokens; ++i) {
    const int unit = unit_of<LANES>((op.base + i / tokens) % LANES::kChannels);
    traffic.tiles[unit].push_back(result_of(number, i / tokens, i % tokens));
    traffic.results[op.destination].push_back(result_of(number, i % op.tiles, i / op.tiles));
  }
}

template <typename LANES, int BATCH, int MAX_TILES>
Traffic drawn_traffic() {
  Traffic traffic;
  for (int left = drawn(1, 14); left > 0; --left) {
    const bool values = drawn(0, 2) > 0;
    const int rows = values ? drawn(1, 4 * BATCH + 1) : drawn(0, 2) > 0 ? drawn(1, BATCH) : 1;
    const int most = values ? MAX_TILES / 2 : rows == 1 ? 2 * MAX_TILES : MAX_TILES;
    const Op op = {values, drawn(1, most), drawn(0, LANES::kChannels - 1), drawn(0, kDestinations - 1)};
    for (int first = 0; first < rows; first += BATCH)
      add_part<LANES>(traffic, op, std::min(BATCH, rows - first), values && first + BATCH < rows);
  }
  traffic.descriptors.push_back(stb::zero_word());
  return traffic;
}

void give(const Words* words, Port<Word>& out) {
  for (const Word& word : *words) out.write(word);
}

void take(Words* words, std::size_t count, Port<Word>& in) {
  while (words->size() < count) words->push_back(in.read());
}

bool same(const Words& a, const Words& b) {
  const auto equal = [](const Word& x, const Word& y) {
    return stb::lane(x, 0) == stb::lane(y, 0) && stb::lane(x, 1) == stb::lane(y, 1) &&
           stb::lane(x, 2) == stb::lane(y, 2);
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
}

template <typename LANES, int BATCH, int MAX_TILES, std::size_t... UNITS>
void check_one(std::index_sequence<UNITS...>) {
  const Traffic traffic = drawn_traffic<LANES, BATCH, MAX_TILES>();
  Words found[kDestinations];
  const std::string name = "unit_" + std::to_string(launches++);
  next_launch = [&] {
    const stb::sim::Unit unit(name.c_str());
    Port<Word> desc = stb::sim::open_port<Word>("desc", 4);
    Port<Word> tiles[] = {stb::sim::open_port<Word>(UNITS == 0 ? "a" : UNITS == 1 ? "b" : "c", 2)...};
    Port<Word> y = stb::sim::open_port<Word>("y", 3);
    Port<Word> z = stb::sim::open_port<Word>("z", 3);
    const Traffic* given = &traffic;
    Words* taken = found;
    STB_CALL(send, (give(&given->descriptors, desc)))
    for (int u = 0; u < LANES::kUnits; ++u) {
      Port<Word> out = tiles[u];
      STB_CALL(unit, (give(&given->tiles[u], out)))
    }
    auto collect = [=](auto... ports) mutable {
      STB_CALL(collect, (stb::collect<LANES, kDestinations, BATCH, MAX_TILES>(desc, ports...)))
    };
    collect(tiles[UNITS]..., y, z);
    STB_CALL(first, (take(&taken[0], given->results[0].size(), y)))
    STB_CALL(second, (take(&taken[1], given->results[1].size(), z)))
  };
  const int code = stb::sim::device().run(nullptr, nullptr);
  if (code == 0 && same(found[0], traffic.results[0]) && same(found[1], traffic.results[1])) return;
  std::printf("batch %d, %d tiles: %s\n", BATCH, MAX_TILES, stb::sim::device().message().c_str());
  std::exit(1);
}

template <typename LANES, int BATCH, int MAX_TILES>
void check() {
  for (int i = 0; i < 150; ++i) {
    check_one<LANES, BATCH, MAX_TILES>(std::make_index_sequence<std::size_t{LANES::kUnits}>());
  }
}

}  // namespace

namespace stb {
namespace sim {

void build() {}
void launch(void* const*, const std::uint64_t*) { next_launch(); }

}  // namespace sim
}  // namespace stb

int main() {
  check<UnitLanes<1>, 1, 3>();
  check<UnitLanes<3>, 2, 2>();
  check<UnitLanes<7>, 5, 9>();
  check<UnitLanes<2, 3>, 8, 12>();
  check<UnitLanes<5, 1>, 3, 17>();
  check<UnitLanes<1, 1>, 12, 5>();
  check<UnitLanes<8, 10, 9>, 7, 31>();
  check<UnitLanes<1, 2, 4>, 16, 8>();
}
