// What ports and loops ask of the scheduler: waits, wake-ups, taps, names.
#include "runtime.hpp"

#include "scheduler.hpp"

namespace stb {
namespace sim {
namespace {

void call_tap(const Channel& channel, std::uint64_t first, std::uint64_t count) {
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
    if (channel.tap == nullptr) channel.wake_tail = channel.head + count;
    device().block(channel, false, count);
  }
}

void wait_space(Channel& channel, std::uint64_t count) {
  while (channel.tail - channel.head + count > channel.depth) {
    channel.writer = device().in_process() ? &device().running() : nullptr;
    channel.wake_head = channel.tail + count - channel.depth;
    device().block(channel, true, count);
  }
}

void announce_data(Channel& channel, std::uint64_t first, std::uint64_t count) {
  if (channel.tap != nullptr) call_tap(channel, first, count);
  if (channel.reader == nullptr || channel.tail - channel.head < channel.reader->wanted) return;
  device().wake(channel.reader);
  channel.wake_tail = channel.tap != nullptr ? 0 : kNever;
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

void fail(const std::string& message) { device().stop(message); }

Channel& open_channel(const char* name, std::uint64_t depth, long item_bytes) {
  return device().open(device().scoped(name), depth, item_bytes);
}

void note_end(Channel& channel) { device().note_end(channel); }

void spawn(const char* name, const std::function<void()>& body) { device().spawn(name, body); }

Unit::Unit(const char* name) : outer_(device().change_unit(device().scoped(name))) {}

Unit::~Unit() { device().change_unit(outer_); }

}  // namespace sim
}  // namespace stb
