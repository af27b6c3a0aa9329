// In front of `control`: a read whose stream comes from a twin of a memory port becomes a command to it.
#pragma once

#include "../../../hls_lib/sim/memory.hpp"
#include "../../../hls_lib/sim/scheduler.hpp"
#include "asked_memory.hpp"

namespace bench {

template <typename T>
bool ask(const T* address, std::int64_t count, const stb::Port<T>& out) {
  const auto& fifos = stb::sim::device().channels();
  const auto asks = fifos.find("asks." + stb::sim::fifo_of(out.channel()).name);
  if (asks == fifos.end()) return false;
  if (count > 0) stb::Port<std::uint64_t>(*asks->second).write(asked(address, static_cast<std::uint64_t>(count)));
  return true;
}

}  // namespace bench

#undef STB_SEND
#define STB_SEND(address, count, out)             \
  if (!::bench::ask(address, count, out)) {       \
    STB_ENTER(kReadDepth)                         \
    sim::send_words(address, count, out);         \
  }
