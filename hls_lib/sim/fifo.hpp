// One bounded FIFO of the emulated network as the scheduler sees it: its name, its memory, who is at its
// ends.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "channel.hpp"

namespace stb {
namespace sim {

// Tokens from `first` on that lie in lent memory, or in the storage if `lent` is null.
struct TokenRun {
  const unsigned char* lent;  // where slot 0 would lie
  std::uint64_t first;
};

using TapFunction = void (*)(void* user, const void* data, long bytes);

struct Fifo : Channel {
  Fifo() = default;
  ~Fifo() { std::free(storage); }
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;

  std::string name;
  long item_bytes = 0;
  std::deque<TokenRun> runs;   // fast: behind the one that is read now
  std::vector<Process*> ends;  // the processes whose call names this stream
  TapFunction tap = nullptr;
  void* tap_user = nullptr;
  std::vector<std::uint64_t> write_cycles;      // timed: what `written` points to
  std::vector<std::uint64_t> read_cycles;       // timed: what `freed` points to
  std::deque<std::vector<unsigned char>> held;  // strict: written by a pipeline that has not let go yet
};

// Every channel that a kernel has is a FIFO of the scheduler's.
inline Fifo& fifo_of(Channel& channel) { return static_cast<Fifo&>(channel); }
inline const Fifo& fifo_of(const Channel& channel) { return static_cast<const Fifo&>(channel); }

}  // namespace sim
}  // namespace stb
