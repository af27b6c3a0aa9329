// Stands in for the header of Vitis HLS: hls::stream on the emulator's bounded FIFOs, calls on its fibers.
#pragma once

#include <cstdint>
#include <new>

#include "../../../../hls_lib/sim/runtime.hpp"

#define STB_CALL(name, call) ::stb::sim::spawn(#name, [=]() mutable { STB_STRIP call; });

namespace hls {

template <typename T, int DEPTH = 0>
class stream;

// A handle; a process that captures a copy of it is at one end of the FIFO.
template <typename T>
class stream<T, 0> {
 public:
  explicit stream(stb::sim::Channel& channel) : channel_(&channel) {}
  stream(const stream& other) : channel_(other.channel_) { stb::sim::note_end(*channel_); }
  stream& operator=(const stream&) = delete;

  T read() {
    if (channel_->tail == channel_->head) stb::sim::wait_data(*channel_, 1);
    const T value = slots()[channel_->head & channel_->mask];
    if (++channel_->head >= channel_->wake_head) stb::sim::announce_space(*channel_);
    return value;
  }

  void write(const T& value) {
    if (channel_->tail - channel_->head >= channel_->depth) stb::sim::wait_space(*channel_, 1);
    new (slots() + (channel_->tail & channel_->mask)) T(value);
    if (++channel_->tail >= channel_->wake_tail) stb::sim::announce_data(*channel_, channel_->tail - 1, 1);
  }

 private:
  T* slots() { return reinterpret_cast<T*>(channel_->storage); }

  stb::sim::Channel* channel_;
};

template <typename T, int DEPTH>
class stream : public stream<T, 0> {
 public:
  explicit stream(const char* name) : stream<T, 0>(stb::sim::open_channel(name, DEPTH, sizeof(T))) {}
};

}  // namespace hls

namespace stb {
namespace sim {

template <typename T>
hls::stream<T> open_port(const char* name, std::uint64_t depth) {
  return hls::stream<T>(open_channel(name, depth, sizeof(T)));
}

}  // namespace sim
}  // namespace stb
