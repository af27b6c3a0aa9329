// The streams of stb/stream.hpp for the lint: declared, so that a read or a write is a call in the tree.
#pragma once

#include "stb/pipeline.hpp"
#include "stb/types.hpp"

namespace stb {

template <typename T>
struct Port {
  T read();
  void write(const T& value);
};

template <typename T>
void read_n(Port<T>& in, T* values, int count) {
  STB_ENTER(kMoveDepth)
read_n_loop:
  for (int i = 0; i < count; ++i) {
    STB_PIPELINE(1)
    values[i] = in.read();
  }
}

template <typename T>
void write_n(Port<T>& out, const T* values, int count) {
  STB_ENTER(kMoveDepth)
write_n_loop:
  for (int i = 0; i < count; ++i) {
    STB_PIPELINE(1)
    out.write(values[i]);
  }
}

inline void write_all() {}
template <typename T, typename... Rest>
void write_all(Port<T>& out, const T& value, Rest&&... rest) {
  out.write(value);
  write_all(rest...);
}

}  // namespace stb

#define STB_FIFO(T, name, depth) ::stb::Port<T> name;
#define STB_STRIP(...) __VA_ARGS__
#define STB_CALL(name, call) STB_STRIP call;
