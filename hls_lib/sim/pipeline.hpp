// The loop markers in emulation: local cycles for the timed network, iterations for the strict mode.
#pragma once

#include "runtime.hpp"
#include "strict.hpp"

#define STB_JOIN_(a, b) a##b
#define STB_JOIN(a, b) STB_JOIN_(a, b)

#ifdef STB_STRICT
#define STB_PIPELINE(ii) ::stb::sim::Iteration STB_JOIN(stb_iteration_, __LINE__)(__FILE__, __LINE__, false);
#define STB_FLUSHABLE(ii) ::stb::sim::Iteration STB_JOIN(stb_iteration_, __LINE__)(__FILE__, __LINE__, true);
#define STB_NO_FLATTEN ::stb::sim::end_pipeline();
#else
#define STB_PIPELINE(ii)
#define STB_FLUSHABLE(ii)
#define STB_NO_FLATTEN
#endif

#define STB_UNROLL
#define STB_INLINE
#define STB_PARTITION(array, dimension)

#ifdef STB_TIMED
#define STB_TICK(cycles) ::stb::sim::clock().now += static_cast<std::uint64_t>(cycles);
#define STB_LATENCY(cycles) ::stb::sim::clock().latency = static_cast<std::uint64_t>(cycles);
#else
#define STB_TICK(cycles)
#define STB_LATENCY(cycles)
#endif
