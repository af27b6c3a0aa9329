// The memory behind the read ports of a composition: a process of `control` asks for words, which its twin of a
// memory port reads in bursts, each with a latency of its own.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>

namespace bench {

// Where words are counted from: the first address that anybody asks for.
inline const unsigned char*& memory_base() {
  static const unsigned char* base = nullptr;
  return base;
}

// A command of read_twin: number of the first word, number of words.
inline std::uint64_t asked(const void* address, std::uint64_t count) {
  const auto* at = static_cast<const unsigned char*>(address);
  if (memory_base() == nullptr) memory_base() = at;
  const std::int64_t first = (at - memory_base()) / 64;
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(first)) << 32 | count;
}

class AskedMemory {
 public:
  // Each burst takes `least` to `most` cycles until its first word may come.
  AskedMemory(int least, int most, double bytes_per_cycle, std::uint32_t seed)
      : step_(64.0 / bytes_per_cycle), seed_(seed), least_(least), span_(most - least + 1) {}

  // One cycle, before the twin is evaluated: its outputs are registers. Whether a word is on its way.
  template <typename Pins>
  bool step(Pins pins, std::int64_t now) {
    if (now == 0) free_ = 0;
    pins.arready = 1;
    if (pins.arvalid) accept(pins.araddr / 64, pins.arlen + 1u, now);
    const bool there = !words_.empty() && words_.front().at <= now && free_ <= static_cast<double>(now);
    pins.rvalid = there;
    if (!there) return !words_.empty();
    std::memcpy(static_cast<void*>(&pins.rdata), words_.front().from, 64);
    if (!pins.rready) return true;
    words_.pop_front();
    free_ = (free_ > now - 1.0 ? free_ : static_cast<double>(now)) + step_;
    return true;
  }

 private:
  struct Word {
    const unsigned char* from;
    std::int64_t at;
  };

  void accept(std::uint64_t first, unsigned count, std::int64_t now) {
    seed_ = seed_ * 1664525u + 1013904223u;
    const std::int64_t at = now + least_ + static_cast<int>((seed_ >> 8) % static_cast<unsigned>(span_));
    const auto number = static_cast<std::int32_t>(static_cast<std::uint32_t>(first));
    for (unsigned k = 0; k < count; ++k)
      words_.push_back({memory_base() + 64 * (static_cast<std::int64_t>(number) + k), at});
  }

  std::deque<Word> words_;
  double free_ = 0;
  double step_;
  std::uint32_t seed_;
  int least_;
  int span_;
};

}  // namespace bench
