// What ports and loops ask of the scheduler: waits, wake-ups, taps, names.
#include "runtime.hpp"

#include "scheduler.hpp"

namespace stb {
namespace sim {
namespace {

void call_tap(const Fifo& channel, std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t token = first; token < first + count; ++token) {
    const auto bytes = static_cast<std::uint64_t>(channel.item_bytes);
    channel.tap(channel.tap_user, channel.ring + (token & channel.mask) * bytes, channel.item_bytes);
  }
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
    channel.wake_head = channel.tail + count - channel.depth;
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
  device().wake(channel.writer);
  channel.wake_head = kNever;
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
