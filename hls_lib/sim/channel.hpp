// One bounded FIFO of the emulated network: a ring, its two ends, and who waits at them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

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

using TapFunction = void (*)(void* user, const void* data, long bytes);

// head and tail count tokens since the network was built; token k lies in slot k & mask.
struct Channel {
  Channel() = default;
  ~Channel() { std::free(storage); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  const unsigned char* ring = nullptr;  // the slots; while memory is lent, where slot 0 would lie in it
  std::uint64_t head = 0;               // tokens read
  std::uint64_t tail = 0;               // tokens written
  std::uint64_t mask = 0;
  std::uint64_t depth = 0;
  std::uint64_t wake_tail = kNever;  // a write that reaches it has somebody to tell
  std::uint64_t wake_head = kNever;  // a read that reaches it has somebody to tell
  std::uint64_t high = 0;            // highest fill seen
  Process* reader = nullptr;         // waits for data
  Process* writer = nullptr;         // waits for space

  std::vector<std::uint64_t> written;  // timed: the cycle of each token's write, per slot
  std::vector<std::uint64_t> freed;    // timed: the cycle of each token's read, per slot
  std::uint64_t data_wait = 0;         // timed: cycles of this launch that its reader waited for data
  std::uint64_t space_wait = 0;        // timed: that its writer waited for space
  std::deque<std::vector<unsigned char>> held;  // strict: written by a pipeline that has not let go yet

  unsigned char* storage = nullptr;  // the ring's own memory
  std::uint64_t own_mask = 0;
  std::string name;
  long item_bytes = 0;
  std::vector<Process*> ends;  // the processes whose call names this stream
  TapFunction tap = nullptr;
  void* tap_user = nullptr;
};

}  // namespace sim
}  // namespace stb
