// A memory behind an AXI read port: bursts in order, each after a latency, words at a steady rate.
#pragma once

#include <cstdint>
#include <deque>

namespace bench {

// Lane `l` of word `i`, the same as in the timed network (benchmarks/twins/read_case.py).
inline std::uint32_t word_lane(std::uint32_t i, std::uint32_t l) { return (i * 16 + l) * 2654435761u; }

class ReadMemory {
 public:
  // Each burst takes `least` to `most` cycles until its first word may come. It holds `lanes`, or numbers of its own.
  ReadMemory(int least, int most, double bytes_per_cycle, const std::int32_t* lanes = nullptr)
      : lanes_(lanes), least_(least), span_(most - least + 1), step_(64.0 / bytes_per_cycle) {}

  // One cycle: the port's own outputs are registers, so they hold before the twin is evaluated.
  template <typename Twin>
  void step(Twin& twin, std::int64_t now) {
    twin.arready = 1;
    if (twin.arvalid) accept(twin.araddr / 64, twin.arlen + 1u, now);
    const bool there = !words_.empty() && words_.front().at <= now && free_ <= static_cast<double>(now);
    twin.rvalid = there;
    if (!there) return;
    const std::uint32_t number = words_.front().number;
    for (std::uint32_t l = 0; l < 16; ++l)
      twin.rdata[l] = lanes_ == nullptr ? word_lane(number, l) : static_cast<std::uint32_t>(lanes_[16 * number + l]);
    if (!twin.rready) return;
    words_.pop_front();
    free_ = (free_ > now - 1.0 ? free_ : static_cast<double>(now)) + step_;
  }

 private:
  struct Word {
    std::uint32_t number;
    std::int64_t at;
  };

  void accept(std::uint64_t first, unsigned count, std::int64_t now) {
    seed_ = seed_ * 1664525u + 1013904223u;
    const std::int64_t at = now + least_ + static_cast<int>((seed_ >> 8) % static_cast<unsigned>(span_));
    for (unsigned k = 0; k < count; ++k) words_.push_back({static_cast<std::uint32_t>(first + k), at});
  }

  std::deque<Word> words_;
  double free_ = 0;
  std::uint32_t seed_ = 1;
  const std::int32_t* lanes_;
  int least_;
  int span_;
  double step_;
};

}  // namespace bench
