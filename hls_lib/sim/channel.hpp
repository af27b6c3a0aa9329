// One bounded FIFO of the emulated network as kernels see it: a ring, its two ends, and who waits at them.
//
// Every kernel includes this file, so it includes nothing that is slow to compile; what else a FIFO has
// is in fifo.hpp.
#pragma once

#include <cstdint>

namespace stb {
namespace sim {

#ifdef STB_TIMED
constexpr bool kTimed = true;
#else
constexpr bool kTimed = false;
#endif
#ifdef STB_STRICT
constexpr bool kStrict = true;
#else
constexpr bool kStrict = false;
#endif

#ifdef STB_TRACE
constexpr bool kTrace = true;
#else
constexpr bool kTrace = false;
#endif

constexpr std::uint64_t kNever = ~std::uint64_t{0};

struct Process;

// head and tail count tokens since the launch began. Token k is written to slot k & own_mask of the storage,
// unless the memory in which it lies was lent (runtime.hpp); it is read from slot k & mask of `ring`.
struct Channel {
  const unsigned char* ring = nullptr;  // the storage, or where slot 0 would lie in lent memory
  std::uint64_t mask = 0;
  std::uint64_t run_end = kNever;  // the first token that does not lie in `ring`
  std::uint64_t head = 0;          // tokens read
  std::uint64_t tail = 0;          // tokens written
  std::uint64_t depth = 0;
  std::uint64_t wake_tail = kNever;  // a write that reaches it has somebody to tell
  std::uint64_t wake_head = kNever;  // a read that reaches it has somebody to tell, or ends the run
  std::uint64_t high = 0;            // highest fill seen
  Process* reader = nullptr;         // waits for data
  Process* writer = nullptr;         // waits for space

  std::uint64_t* written = nullptr;  // timed: the cycle of each token's write, per slot
  std::uint64_t* freed = nullptr;    // timed: the cycle of each token's read, per slot
  std::uint64_t data_wait = 0;       // timed: cycles of this launch that its reader waited for data
  std::uint64_t space_wait = 0;      // timed: that its writer waited for space

  unsigned char* storage = nullptr;  // the ring's own memory
  std::uint64_t own_mask = 0;
};

}  // namespace sim
}  // namespace stb
