// The loop markers in emulation: local cycles for the timed network, iterations for the strict mode.
#pragma once

#include "../include/stb/depths.hpp"
#include "runtime.hpp"
#include "strict.hpp"

namespace stb {
namespace sim {

// The loop before has ended: it drains. From a read to the writes that depend on it are `depth` cycles now.
inline void enter(int depth) {
  if (kStrict) end_pipeline();
  if (!kTimed) return;
  Clock& mine = clock();
  mine.now += mine.latency;
  mine.latency = static_cast<std::uint64_t>(depth);
}

}  // namespace sim
}  // namespace stb

#define STB_JOIN_(a, b) a##b
#define STB_JOIN(a, b) STB_JOIN_(a, b)

#ifdef STB_STRICT
#define STB_PIPELINE(ii) ::stb::sim::Iteration STB_JOIN(stb_iteration_, __LINE__)(__FILE__, __LINE__, false);
#define STB_FLUSHABLE(ii) ::stb::sim::Iteration STB_JOIN(stb_iteration_, __LINE__)(__FILE__, __LINE__, true);
#else
#define STB_PIPELINE(ii)
#define STB_FLUSHABLE(ii)
#endif

#define STB_ENTER(depth) ::stb::sim::enter(depth);
#define STB_UNROLL
#define STB_INLINE
#define STB_PARTITION(array, dimension) static_cast<void>(array);
#define STB_BIND(array, kind) static_cast<void>(array);
#define STB_ROM(table) static_cast<void>(table);
#define STB_MULTIPLY(product, kind) static_cast<void>(product);
#define STB_CHAIN
#define STB_INDEPENDENT(array) static_cast<void>(array);
#define STB_DISTANCE(array, iterations) static_cast<void>(array);

#ifdef STB_TIMED
#define STB_TICK(cycles) ::stb::sim::clock().now += static_cast<std::uint64_t>(cycles);
#else
#define STB_TICK(cycles) static_cast<void>(cycles);
#endif
