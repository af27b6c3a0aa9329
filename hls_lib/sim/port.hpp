// Port<T> in emulation: a handle on a bounded FIFO, with the copies inline and the waits out of line.
//
// A read waits for data, a write for space. Bulk transfers move what fits and wait for the rest, which
// no process can tell from token by token. Timed: a token carries the cycle of its write; a read sets
// now = max(now, written + 1); write k waits for the read of token k - depth, plus 1.
#pragma once

#include <cstring>

#include "pipeline.hpp"
#include "runtime.hpp"
#include "strict.hpp"

namespace stb {
namespace sim {

inline std::uint64_t least(std::uint64_t a, std::uint64_t b) { return a < b ? a : b; }
inline std::uint64_t later(std::uint64_t a, std::uint64_t b) { return a < b ? b : a; }

inline std::uint64_t fill(const Channel& channel) { return channel.tail - channel.head; }

// The cycle at which `token` can be written, not before `at`.
inline std::uint64_t write_cycle(const Channel& channel, std::uint64_t token, std::uint64_t at) {
  if (token < channel.depth) return at;
  return later(at, channel.freed[(token - channel.depth) & channel.mask] + 1);
}

// The running process goes on so that its write to `channel` happens at the cycle `at`.
inline void wait_to_write(Channel& channel, Clock& mine, std::uint64_t at) {
  const std::uint64_t wait = at - mine.latency - mine.now;
  channel.space_wait += wait;
  mine.space_wait += wait;
  mine.now += wait;
}

inline void stamp_write_of(Channel& channel, std::uint64_t token, Clock& mine) {
  const std::uint64_t at = write_cycle(channel, token, mine.now + mine.latency);
  channel.written[token & channel.mask] = at;
  wait_to_write(channel, mine, at);
}

inline void stamp_read_of(Channel& channel, std::uint64_t token, Clock& mine) {
  const std::uint64_t at = later(mine.now, channel.written[token & channel.mask] + 1);
  channel.data_wait += at - mine.now;
  mine.data_wait += at - mine.now;
  mine.now = at;
  channel.freed[token & channel.mask] = at;
}

inline void advance_tail(Channel& channel, std::uint64_t count) {
  if (kTrace) note_step(channel, true, count);
  channel.tail += count;
  if (fill(channel) > channel.high) channel.high = fill(channel);
  if (channel.tail >= channel.wake_tail) announce_data(channel, channel.tail - count, count);
}

inline void advance_head(Channel& channel, std::uint64_t count) {
  if (kTrace) note_step(channel, false, count);
  channel.head += count;
  if (channel.head >= channel.wake_head) announce_space(channel);
}

}  // namespace sim

template <typename T>
class Port {
 public:
  explicit Port(sim::Channel& channel) : channel_(&channel) {}
  Port(const Port& other) : channel_(other.channel_) { sim::note_end(*channel_); }
  Port& operator=(const Port&) = delete;

  T read() const {
    sim::Channel& channel = *channel_;
    sim::leave_pipeline();
    if (channel.tail == channel.head) sim::wait_data(channel, 1);
    const T value = items()[channel.head & channel.mask];
    if (sim::kTimed) sim::stamp_read_of(channel, channel.head, sim::clock());
    sim::advance_head(channel, 1);
    return value;
  }

  void write(const T& value) const {
    sim::Channel& channel = *channel_;
    sim::leave_pipeline();
    if (sim::hold(channel, &value)) return;
    if (sim::fill(channel) >= channel.depth) sim::wait_space(channel, 1);
    put(value);
  }

  // Stores a token for which there is room.
  void put(const T& value) const {
    slots()[channel_->tail & channel_->own_mask] = value;
    if (sim::kTimed) sim::stamp_write_of(*channel_, channel_->tail, sim::clock());
    sim::advance_tail(*channel_, 1);
  }

  const T* items() const { return reinterpret_cast<const T*>(channel_->ring); }
  T* slots() const { return reinterpret_cast<T*>(channel_->storage); }
  sim::Channel& channel() const { return *channel_; }

 private:
  sim::Channel* channel_;
};

namespace sim {

template <typename T>
Port<T> open_port(const char* name, std::uint64_t depth) {
  return Port<T>(open_channel(name, depth, static_cast<long>(sizeof(T))));
}

constexpr bool kSingle = kTimed || kStrict;

// Stamps `count` tokens at the head of a stream as read, one a cycle.
inline void stamp_reads(Channel& channel, std::uint64_t count) {
  Clock& mine = clock();
  for (std::uint64_t token = channel.head; token < channel.head + count; ++token) {
    stamp_read_of(channel, token, mine);
    ++mine.now;
  }
}

// Stamps `count` tokens behind the tail of a stream as written, one a cycle.
inline void stamp_writes(Channel& channel, std::uint64_t count) {
  Clock& mine = clock();
  for (std::uint64_t token = channel.tail; token < channel.tail + count; ++token) {
    stamp_write_of(channel, token, mine);
    ++mine.now;
  }
}

// The tokens at the head of a stream that lie one behind the other.
inline std::uint64_t straight(const Channel& channel) {
  const std::uint64_t here = least(channel.tail, channel.run_end) - channel.head;
  return least(here, channel.mask + 1 - (channel.head & channel.mask));
}

// Copies up to `count` tokens that are there; waits only if there is none.
template <typename T>
std::uint64_t take_some(const Port<T>& in, T* values, std::uint64_t count) {
  Channel& channel = in.channel();
  if (channel.tail == channel.head) wait_data(channel, 1);
  const std::uint64_t part = least(count, straight(channel));
  std::memcpy(static_cast<void*>(values), in.items() + (channel.head & channel.mask), part * sizeof(T));
  if (kTimed) stamp_reads(channel, part);
  advance_head(channel, part);
  return part;
}

// Copies up to `count` tokens for which there is room; waits only if there is none.
template <typename T>
std::uint64_t put_some(const Port<T>& out, const T* values, std::uint64_t count) {
  Channel& channel = out.channel();
  if (fill(channel) >= channel.depth) wait_space(channel, 1);
  const std::uint64_t slot = channel.tail & channel.own_mask;
  const std::uint64_t room = least(channel.depth - fill(channel), channel.own_mask + 1 - slot);
  const std::uint64_t part = least(count, room);
  std::memcpy(static_cast<void*>(out.slots() + slot), values, part * sizeof(T));
  if (kTimed) stamp_writes(channel, part);
  advance_tail(channel, part);
  return part;
}

// A run of whole groups of tokens at the head of a stream.
template <typename T>
struct Run {
  const T* tokens;
  int groups;
};

// Takes all tokens of one group to `copy`, wherever they lie.
template <typename T>
Run<T> copy_group(const Port<T>& port, T* copy, int group) {
  for (int i = 0; i < group;) i += static_cast<int>(take_some(port, copy + i, group - i));
  return {copy, 1};
}

// At least one and at most `limit` groups of `group` tokens: in place if they lie straight in the ring,
// else one of them, copied. The tokens count as read, and hold until the process waits.
template <typename T>
Run<T> take_groups(const Port<T>& port, T* copy, int group, int limit) {
  Channel& channel = port.channel();
  const auto size = static_cast<std::uint64_t>(group);
  if (size > channel.depth) return copy_group(port, copy, group);
  if (fill(channel) < size) wait_data(channel, size);
  const std::uint64_t groups = least(straight(channel) / size, static_cast<std::uint64_t>(limit));
  if (groups == 0) return copy_group(port, copy, group);
  const T* tokens = port.items() + (channel.head & channel.mask);
  advance_head(channel, groups * size);
  return {tokens, static_cast<int>(groups)};
}

inline bool all_have_room() { return true; }
template <typename T, typename V, typename... Rest>
bool all_have_room(const Port<T>& out, const V&, const Rest&... rest) {
  return fill(out.channel()) < out.channel().depth && all_have_room(rest...);
}

inline void wait_for_room() {}
template <typename T, typename V, typename... Rest>
void wait_for_room(const Port<T>& out, const V&, const Rest&... rest) {
  if (fill(out.channel()) >= out.channel().depth) wait_space(out.channel(), 1);
  wait_for_room(rest...);
}

inline void write_each() {}
template <typename T, typename... Rest>
void write_each(const Port<T>& out, const T& value, const Rest&... rest) {
  out.write(value);
  write_each(rest...);
}

// The running process goes on to the cycle at which all its writes can happen.
inline void wait_jointly(Clock&) {}
template <typename T, typename V, typename... Rest>
void wait_jointly(Clock& mine, const Port<T>& out, const V&, const Rest&... rest) {
  Channel& channel = out.channel();
  wait_to_write(channel, mine, write_cycle(channel, channel.tail, mine.now + mine.latency));
  wait_jointly(mine, rest...);
}

}  // namespace sim

// `count` tokens inside of a pipelined loop, one a cycle.
template <typename T>
void take_n(const Port<T>& in, T* values, int count) {
  if (sim::kStrict) {
    for (int i = 0; i < count; ++i) values[i] = in.read();
    return;
  }
  for (int i = 0; i < count;) i += static_cast<int>(sim::take_some(in, values + i, count - i));
}

// The same out of it.
template <typename T>
void give_n(const Port<T>& out, const T* values, int count) {
  if (sim::kStrict) {
    for (int i = 0; i < count; ++i) out.write(values[i]);
    return;
  }
  for (int i = 0; i < count;) i += static_cast<int>(sim::put_some(out, values + i, count - i));
}

template <typename T>
void read_n(const Port<T>& in, T* values, int count) {
  STB_ENTER(kMoveDepth)
  take_n(in, values, count);
}

template <typename T>
void write_n(const Port<T>& out, const T* values, int count) {
  STB_ENTER(kMoveDepth)
  give_n(out, values, count);
}

// All or nothing: the iteration's writes happen when every stream has room.
template <typename... PortsAndValues>
void write_all(const PortsAndValues&... writes) {
  sim::leave_pipeline();
  while (!sim::holding() && !sim::all_have_room(writes...)) sim::wait_for_room(writes...);
  if (sim::kTimed) sim::wait_jointly(sim::clock(), writes...);
  if (sim::kTrace) sim::begin_joint();
  sim::write_each(writes...);
  if (sim::kTrace) sim::end_joint();
}

}  // namespace stb

#define STB_FIFO(T, name, fifo_depth) ::stb::Port<T> name = ::stb::sim::open_port<T>(#name, fifo_depth);
#define STB_STRIP(...) __VA_ARGS__
#define STB_CALL(name, call) ::stb::sim::spawn(#name, [=]() mutable { STB_STRIP call; });
