// Streams between processes, and the macros that make a network of them.
//
// Port<T>             a stream in a process's signature, passed by reference: read(), write(value)
// read_n, write_n     n tokens, one per cycle
// write_all           writes of one pipelined iteration, which happen together: write_all(p, v, q, w)
// STB_FIFO(T, name, depth)   a stream inside a kernel
// STB_CALL(name, (call))     a process of a kernel; the call in parentheses
//
// Synthesis: hls::stream and plain calls in a DATAFLOW region. Emulation: bounded FIFOs and fibers; the
// processes of compute kernels repeat their call for ever, those of `control` run once per launch.
// Scalars, pointers and streams are captured by value, so a call may use a kernel's arguments freely.
#pragma once

#include "stb/pipeline.hpp"
#include "stb/types.hpp"

#ifdef STB_SYNTHESIS
#include <hls_stream.h>

namespace stb {

template <typename T>
using Port = hls::stream<T>;

template <typename T>
void read_n(Port<T>& in, T* values, int count) {
  STB_INLINE
  STB_ENTER(kMoveDepth)
read_n_loop:
  for (int i = 0; i < count; ++i) {
    STB_PIPELINE(1)
    values[i] = in.read();
  }
}

template <typename T>
void write_n(Port<T>& out, const T* values, int count) {
  STB_INLINE
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
  STB_INLINE
  out.write(value);
  write_all(rest...);
}

}  // namespace stb

#define STB_FIFO(T, name, fifo_depth)       \
  ::hls::stream<T, fifo_depth> name(#name); \
  STB_PRAGMA(HLS STREAM variable = name depth = fifo_depth)
#define STB_STRIP(...) __VA_ARGS__
#ifndef STB_CALL
#define STB_CALL(name, call) STB_STRIP call;
#endif

#else
#include "../../sim/port.hpp"
#endif
