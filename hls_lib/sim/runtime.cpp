// What ports and loops ask of the scheduler: waits, wake-ups, taps, names.
#include "runtime.hpp"

#include <algorithm>

#include "scheduler.hpp"

namespace stb {
namespace sim {
namespace {

void call_tap(const Fifo& channel, std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t token = first; token < first + count; ++token) {
    const auto bytes = static_cast<std::uint64_t>(channel.item_bytes);
    channel.tap(channel.tap_user, channel.storage + (token & channel.own_mask) * bytes, channel.item_bytes);
  }
}

// The reader has read all tokens of a run.
void next_run(Fifo& fifo) {
  const unsigned char* lent = fifo.runs.front().lent;
  fifo.ring = lent != nullptr ? lent : fifo.storage;
  fifo.mask = lent != nullptr ? kNever >> 1 : fifo.own_mask;
  fifo.runs.pop_front();
  fifo.run_end = fifo.runs.empty() ? kNever : fifo.runs.front().first;
}

// The next `count` tokens lie in lent memory, those behind them in the storage again. Memory that goes on
// where the run before ends makes that run longer.
void add_run(Fifo& fifo, const unsigned char* values, std::uint64_t count) {
  const unsigned char* lent = values - fifo.tail * static_cast<std::uint64_t>(fifo.item_bytes);
  if (!fifo.runs.empty() && fifo.runs.back().first == fifo.tail) fifo.runs.pop_back();
  const unsigned char* now = fifo.mask == fifo.own_mask ? nullptr : fifo.ring;
  const unsigned char* before = fifo.runs.empty() ? now : fifo.runs.back().lent;
  if (before != lent) fifo.runs.push_back({lent, fifo.tail});
  fifo.runs.push_back({nullptr, fifo.tail + count});
  fifo.run_end = fifo.runs.front().first;
  if (fifo.run_end == fifo.head) next_run(fifo);
  fifo.wake_head = std::min(fifo.wake_head, fifo.run_end);
}

}  // namespace

Clock* running_clock = nullptr;

void wait_data(Channel& channel, std::uint64_t count) {
  while (channel.tail - channel.head < count) {
    channel.reader = device().in_process() ? &device().running() : nullptr;
    if (fifo_of(channel).tap == nullptr) channel.wake_tail = channel.head + count;
    device().block(fifo_of(channel), false, count);
  }
}

void wait_space(Channel& channel, std::uint64_t count) {
  while (channel.tail - channel.head + count > channel.depth) {
    channel.writer = device().in_process() ? &device().running() : nullptr;
    channel.wake_head = std::min(channel.tail + count - channel.depth, channel.run_end);
    device().block(fifo_of(channel), true, count);
  }
}

void announce_data(Channel& channel, std::uint64_t first, std::uint64_t count) {
  const Fifo& fifo = fifo_of(channel);
  if (fifo.tap != nullptr) call_tap(fifo, first, count);
  if (channel.reader == nullptr || channel.tail - channel.head < channel.reader->wanted) return;
  device().wake(channel.reader);
  channel.wake_tail = fifo.tap != nullptr ? 0 : kNever;
}

void announce_space(Channel& channel) {
  if (channel.head == channel.run_end) next_run(fifo_of(channel));
  channel.wake_head = channel.run_end;
  if (channel.writer == nullptr) return;
  const std::uint64_t wanted = channel.tail + channel.writer->wanted - channel.depth;
  if (channel.head < wanted) {
    channel.wake_head = std::min(wanted, channel.run_end);
  } else {
    device().wake(channel.writer);
  }
}

bool lend(Channel& channel, const void* values, std::uint64_t count) {
  Fifo& fifo = fifo_of(channel);
  if (fifo.tap != nullptr) return false;
  const auto* at = static_cast<const unsigned char*>(values);
  while (count > 0) {
    if (channel.tail - channel.head >= channel.depth) wait_space(channel, 1);
    const std::uint64_t part = std::min(count, channel.depth - (channel.tail - channel.head));
    add_run(fifo, at, part);
    channel.tail += part;
    channel.high = std::max(channel.high, channel.tail - channel.head);
    if (channel.tail >= channel.wake_tail) announce_data(channel, channel.tail - part, part);
    at += part * static_cast<std::uint64_t>(fifo.item_bytes);
    count -= part;
  }
  return true;
}

void note_step(const Channel& channel, bool write, std::uint64_t count) {
  Trace& trace = device().running().trace;
  if (trace.joint) {
    trace.pending.push_back(&channel);
  } else {
    trace.add({write, {&channel}, count});
  }
}

void begin_joint() { device().running().trace.joint = true; }

void end_joint() {
  Trace& trace = device().running().trace;
  trace.joint = false;
  if (!trace.pending.empty()) trace.add({true, trace.pending, 1});
  trace.pending.clear();
}

void fail(const char* message) { device().stop(message); }

Channel& open_channel(const char* name, std::uint64_t depth, long item_bytes) {
  return device().open(device().scoped(name), depth, item_bytes);
}

void note_end(Channel& channel) { device().note_end(fifo_of(channel)); }

void add_process(const char* name, const Closure& body) { device().spawn(name, body); }

void set_outside(Outside* outside) { device().set_outside(outside); }

Unit::Unit(const char* name) { device().enter_unit(name); }

Unit::~Unit() { device().leave_unit(); }

}  // namespace sim
}  // namespace stb
