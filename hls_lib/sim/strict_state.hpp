// What the strict mode remembers: of each process its pipeline, of the launch its memory accesses.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_set>

#include "fifo.hpp"

namespace stb {
namespace sim {

struct HeldWrite {
  Fifo* channel;
  std::uint64_t iteration;
};

struct Pipeline {
  const char* file = nullptr;  // the loop that runs or ran last; null: none
  int line = 0;
  bool active = false;  // inside an iteration
  bool flushable = false;
  std::uint64_t iteration = 0;
  std::deque<HeldWrite> held;
};

// 64-byte lines, by address / 64.
struct MemoryLog {
  std::unordered_set<std::uintptr_t> read;
  std::unordered_set<std::uintptr_t> written;
};

}  // namespace sim
}  // namespace stb
