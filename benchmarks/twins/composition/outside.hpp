// The composition under Verilator as the part of the emulated network that runs elsewhere (hls_lib/sim/runtime.hpp):
// a cycle whenever no process of C++ can go on.
//
// A stream between the two sides is a FIFO of the network. The composition reads and writes it with the
// network's rules and stamps, so that a process cannot tell on which side its neighbour runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "asked_memory.hpp"
#include "bench.hpp"
#include "port.hpp"
#include "scheduler.hpp"

namespace bench {

constexpr Cycle kQuiet = 1000;  // cycles without a word after which nothing will happen
constexpr int kResetCycles = 64;

// A stream at the border: its name in the network, its words, its pins.
struct Border {
  std::string stream;
  std::size_t bytes;
  std::size_t depth;
  bool into_twin;
  Pins pins;
  stb::sim::Fifo* fifo = nullptr;

  void open() {
    fifo = &stb::sim::device().open(stream, depth, static_cast<long>(bytes));
    if (fifo->depth != depth) throw std::runtime_error("stream " + stream + " has another depth");
  }
  bool there(Cycle now) const {
    return fifo->tail > fifo->head && fifo->written[fifo->head & fifo->mask] < static_cast<std::uint64_t>(now);
  }
  bool room(Cycle now) const {
    if (fifo->tail - fifo->head >= fifo->depth) return false;
    const std::uint64_t before = fifo->tail - fifo->depth;
    return fifo->tail < fifo->depth || fifo->freed[before & fifo->mask] < static_cast<std::uint64_t>(now);
  }
  void offer(Cycle now) {
    static const unsigned char none[64] = {};
    if (!into_twin) return pins.room(room(now));
    const bool any = there(now);
    pins.offer(any ? fifo->ring + (fifo->head & fifo->mask) * bytes : none, any);
  }
  // Whether a word passes in this cycle.
  bool pass(Cycle now) {
    if (into_twin) {
      if (!there(now) || !pins.taken()) return false;
      fifo->freed[fifo->head & fifo->mask] = static_cast<std::uint64_t>(now);
      stb::sim::advance_head(*fifo, 1);
      return true;
    }
    unsigned char word[64];
    if (!room(now) || !pins.given(word)) return false;
    std::memcpy(fifo->storage + (fifo->tail & fifo->mask) * bytes, word, bytes);
    fifo->written[fifo->tail & fifo->mask] = static_cast<std::uint64_t>(now);
    stb::sim::advance_tail(*fifo, 1);
    return true;
  }
  // Whether a word or room will come by itself.
  bool pending(Cycle now) const {
    return into_twin ? fifo->tail > fifo->head && !there(now)
                     : fifo->tail - fifo->head < fifo->depth && !room(now);
  }
};

template <typename Twin>
class Composition : public stb::sim::Outside {
 public:
  using Memories = std::vector<std::function<bool(Cycle)>>;

  Composition(Twin& twin, std::vector<Border> borders, Memories memories)
      : twin_(twin), borders_(std::move(borders)), memories_(std::move(memories)) {
    twin_.reset = 1;
    for (int i = 0; i < kResetCycles; ++i) settle(), edge();
    twin_.reset = 0;
  }

  void begin_launch() override {
    for (Border& border : borders_) border.open();
    now_ = last_ = 0;
  }

  bool step() override {
    bool moves = false;
    for (const auto& memory : memories_) moves = memory(now_) || moves;
    for (Border& border : borders_) border.offer(now_);
    settle();
    moves = moves || twin_.moves;
    for (Border& border : borders_) {
      moves = border.pass(now_) || moves;
      moves = moves || border.pending(now_);
    }
    const bool holds = twin_.holds;
    edge();
    last_ = moves ? now_ : last_;
    if (++now_ - last_ < kQuiet) return true;
    if (holds) throw std::runtime_error("a stream between twins holds words after the launch");
    return false;
  }

 private:
  void settle() {
    twin_.clk = 0;
    twin_.eval();
  }
  void edge() {
    twin_.clk = 1;
    twin_.eval();
  }

  Twin& twin_;
  std::vector<Border> borders_;
  Memories memories_;
  Cycle now_ = 0;
  Cycle last_ = 0;
};

}  // namespace bench
