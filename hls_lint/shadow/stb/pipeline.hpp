// The markers of stb/pipeline.hpp as calls: clang drops `#pragma HLS`, but keeps a call where it stands.
#pragma once

#include "stb/depths.hpp"

namespace stb_lint {
void pipeline(long ii);
void unroll();
void enter(long depth);
void tick(long cycles);
template <typename T>
void partition(const T& array, int dimension);
template <typename T>
void bind(const T& array);
template <typename T>
void rom(const T& array);
template <typename T>
void depends(const T& array, long distance);
}  // namespace stb_lint

#define STB_PRAGMA(text)
#define STB_PIPELINE(ii) ::stb_lint::pipeline(ii);
#define STB_FLUSHABLE(ii) ::stb_lint::pipeline(ii);
#define STB_UNROLL ::stb_lint::unroll();
#define STB_INLINE
#define STB_PARTITION(array, dimension) ::stb_lint::partition(array, dimension);
#define STB_BIND(array, kind) ::stb_lint::bind(array);
#define STB_ROM(array) ::stb_lint::rom(array);
#define STB_MULTIPLY(variable, kind)
#define STB_CHAIN
#define STB_INDEPENDENT(array) ::stb_lint::depends(array, 0);
#define STB_DISTANCE(array, iterations) ::stb_lint::depends(array, iterations);
#define STB_ENTER(depth) ::stb_lint::enter(depth);
#define STB_TICK(cycles) ::stb_lint::tick(cycles);
