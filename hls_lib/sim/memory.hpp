// Memory in emulation: every access is noted for the strict mode, and takes its time in the timed network.
#pragma once

#include "port.hpp"
#include "runtime.hpp"
#include "strict.hpp"

namespace stb {
namespace sim {

// The cycles that `bytes` take beyond the one per word that the stream takes anyway; fractions add up.
inline void pay_for_memory(std::int64_t bytes) {
  if (!kTimed) return;
  Clock& mine = clock();
  mine.memory_debt += (mine.memory_step - 1.0) * static_cast<double>(bytes) / 64.0;
  if (mine.memory_debt < 1.0) return;
  const auto cycles = static_cast<std::uint64_t>(mine.memory_debt);
  mine.now += cycles;
  mine.memory_debt -= static_cast<double>(cycles);
}

// The cycles until the first word of a read comes, during which its process does nothing else.
inline void wait_for_memory(std::int64_t words) {
  if (kTimed && words > 0) clock().now += clock().memory_latency;
}

// Words are read with aligned vector loads.
inline void check_alignment(const void* address) {
  if (reinterpret_cast<std::uintptr_t>(address) % 64 != 0)
    fail("a memory region does not begin at a multiple of 64 bytes");
}

inline void on_read(const void* address, std::int64_t words) {
  check_alignment(address);
  note_read(address, 64 * words);
  pay_for_memory(64 * words);
}

inline void on_write(const void* address, std::int64_t words) {
  check_alignment(address);
  note_write(address, 64 * words);
  pay_for_memory(64 * words);
}

constexpr std::int64_t kBurst = 64;  // words of the longest AXI burst of 4 KB

// Words from memory to a stream, paid for burst by burst.
template <typename T>
void send_words(const T* address, std::int64_t count, const Port<T>& out) {
  if (count > 0) check_alignment(address);
  if (!kSingle && lend(out.channel(), address, static_cast<std::uint64_t>(count))) return;
  for (std::int64_t at = 0; at < count; at += kBurst) {
    const std::int64_t part = count - at < kBurst ? count - at : kBurst;
    on_read(address + at, part);
    give_n(out, address + at, static_cast<int>(part));
  }
}

// Words from a stream to memory, paid for burst by burst.
template <typename T>
void receive_words(T* address, std::int64_t count, const Port<T>& in) {
  for (std::int64_t at = 0; at < count; at += kBurst) {
    const std::int64_t part = count - at < kBurst ? count - at : kBurst;
    on_write(address + at, part);
    take_n(in, address + at, static_cast<int>(part));
  }
}

}  // namespace sim
}  // namespace stb

#define STB_READ_BEGINS(words) ::stb::sim::wait_for_memory(words);
#define STB_SEND(address, count, out) \
  STB_ENTER(kReadDepth)               \
  sim::send_words(address, count, out);
#define STB_RECEIVE(address, count, in) \
  STB_ENTER(kMoveDepth)                 \
  sim::receive_words(address, count, in);
