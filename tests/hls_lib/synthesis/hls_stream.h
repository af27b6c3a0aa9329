// Stands in for the header of Vitis HLS: an unbounded stream with the interface that hls_lib uses.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <deque>

namespace hls {

template <typename T, int DEPTH = 0>
class stream;

template <typename T>
class stream<T, 0> {
 public:
  explicit stream(const char* name = "") : name_(name) {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  T read() {
    if (items_.empty()) {
      std::fprintf(stderr, "stream %s is read while it is empty\n", name_);
      std::abort();
    }
    const T item = items_.front();
    items_.pop_front();
    return item;
  }
  void write(const T& item) { items_.push_back(item); }
  bool empty() const { return items_.empty(); }

 private:
  const char* name_;
  std::deque<T> items_;
};

// As in Vitis HLS, a stream with a depth passes as a stream without.
template <typename T, int DEPTH>
class stream : public stream<T, 0> {
 public:
  explicit stream(const char* name = "") : stream<T, 0>(name) {}
};

}  // namespace hls
