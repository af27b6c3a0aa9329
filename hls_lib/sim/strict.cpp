// Holds back what a stalled pipeline has not let go, and checks the memory accesses of a launch.
#include "strict.hpp"

#ifdef STB_STRICT

#include <cstring>

#include "port.hpp"
#include "scheduler.hpp"

namespace stb {
namespace sim {
namespace {

Pipeline& pipeline() { return device().running().pipeline; }

bool room_for_iteration(const Pipeline& mine, std::uint64_t iteration) {
  for (const HeldWrite& write : mine.held) {
    if (write.iteration != iteration) break;
    if (fill(*write.channel) >= write.channel->depth) {
      wait_space(*write.channel, 1);
      return false;
    }
  }
  return true;
}

void commit_front(Pipeline& mine) {
  Fifo& channel = *mine.held.front().channel;
  mine.held.pop_front();
  if (fill(channel) >= channel.depth) wait_space(channel, 1);
  const std::vector<unsigned char>& token = channel.held.front();
  std::memcpy(channel.storage + (channel.tail & channel.own_mask) * token.size(), token.data(), token.size());
  channel.held.pop_front();
  if (kTimed) stamp_write_of(channel, channel.tail, clock());
  advance_tail(channel, 1);
}

// Lets the writes of iterations below `end` go, those of one iteration together.
void commit_until(Pipeline& mine, std::uint64_t end) {
  while (!mine.held.empty() && mine.held.front().iteration < end) {
    const std::uint64_t iteration = mine.held.front().iteration;
    while (!room_for_iteration(mine, iteration)) {
    }
    while (!mine.held.empty() && mine.held.front().iteration == iteration) commit_front(mine);
  }
}

std::uint64_t latency() { return static_cast<std::uint64_t>(device().setting("strict.latency", 16)); }

template <typename Visit>
void each_line(const void* address, std::int64_t bytes, Visit visit) {
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(address) / 64;
  const std::uintptr_t last = (reinterpret_cast<std::uintptr_t>(address) + bytes + 63) / 64;
  for (std::uintptr_t line = first; line < last; ++line) visit(line);
}

}  // namespace

Iteration::Iteration(const char* file, int line, bool flushable) : outermost_(!pipeline().active) {
  if (!outermost_) return;
  Pipeline& mine = pipeline();
  if (mine.file != file || mine.line != line) end_pipeline();
  mine.file = file;
  mine.line = line;
  mine.flushable = flushable;
  mine.active = true;
}

Iteration::~Iteration() {
  if (!outermost_) return;
  Pipeline& mine = pipeline();
  mine.active = false;
  ++mine.iteration;
  if (mine.iteration > latency()) commit_until(mine, mine.iteration - latency());
}

void end_pipeline() {
  Pipeline& mine = pipeline();
  if (mine.active) return;
  commit_until(mine, kNever);
  mine.file = nullptr;
  mine.iteration = 0;
}

void leave_pipeline() {
  if (!pipeline().active) end_pipeline();
}

bool holding() { return pipeline().active && !pipeline().flushable; }

bool hold(Channel& channel, const void* token) {
  if (!holding()) return false;
  const auto* bytes = static_cast<const unsigned char*>(token);
  Fifo& fifo = fifo_of(channel);
  fifo.held.emplace_back(bytes, bytes + fifo.item_bytes);
  pipeline().held.push_back({&fifo, pipeline().iteration});
  return true;
}

void note_read(const void* address, std::int64_t bytes) {
  MemoryLog& log = device().memory_log();
  each_line(address, bytes, [&](std::uintptr_t line) {
    if (log.written.count(line) != 0) fail("reads memory that the same launch has written");
    log.read.insert(line);
  });
}

void note_write(const void* address, std::int64_t bytes) {
  MemoryLog& log = device().memory_log();
  each_line(address, bytes, [&](std::uintptr_t line) {
    if (log.read.count(line) != 0) fail("writes memory that the same launch has read");
    log.written.insert(line);
  });
}

}  // namespace sim
}  // namespace stb

#endif
