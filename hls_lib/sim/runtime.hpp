// The cooperative scheduler that runs the processes of the network; what ports and loops ask of it.
#pragma once

#include <cstdint>

#include "channel.hpp"

namespace stb {
namespace sim {

// What a running process needs at hand in its loops.
struct Clock {
  std::uint64_t now = 0;             // timed: local cycle
  std::uint64_t latency = 0;         // timed: cycles from reads to the writes that depend on them
  double memory_step = 1.0;          // timed: cycles per 64 bytes of memory
  double memory_debt = 0.0;          // timed: fractions of a cycle not yet spent
  std::uint64_t memory_latency = 0;  // timed: cycles until the first word of a read

  std::uint64_t data_wait = 0;   // timed: cycles of this launch spent waiting for data
  std::uint64_t space_wait = 0;  // timed: for space
};

// The clock of the process that runs now; the scheduler moves it.
extern Clock* running_clock;
inline Clock& clock() { return *running_clock; }

// Blocks the running process until `channel` holds `count` tokens, or has room for `count` more.
void wait_data(Channel& channel, std::uint64_t count);
void wait_space(Channel& channel, std::uint64_t count);

// Writes `count` tokens that lie in memory, and stay as they are until they are read, without copying them.
// false: somebody taps the stream, so they must be written.
bool lend(Channel& channel, const void* values, std::uint64_t count);

// Called by the writer (reader) of a token that reaches wake_tail (wake_head).
void announce_data(Channel& channel, std::uint64_t first, std::uint64_t count);
void announce_space(Channel& channel);

// Traced: the running process has read (written) `count` tokens of `channel`; writes between begin_joint and
// end_joint happen at the same time.
void note_step(const Channel& channel, bool write, std::uint64_t count);
void begin_joint();
void end_joint();

// Stops the launch with a failed check.
[[noreturn]] void fail(const char* message);

// The stream `name` of the compute unit in scope; made at its first mention.
Channel& open_channel(const char* name, std::uint64_t depth, long item_bytes);

// A process that is being made mentions a stream: it is at one end of it.
void note_end(Channel& channel);

// A closure of any type: what it is, and how to copy, call and drop it.
struct Closure {
  const void* object;
  void* (*copy)(const void* object);
  void (*call)(void* object);
  void (*drop)(void* object);
};

// Adds a process of the compute unit in scope; it repeats a copy of `body` for ever, or runs it once per
// launch when the host-started kernel adds it.
void add_process(const char* name, const Closure& body);

template <typename Body>
void spawn(const char* name, const Body& body) {
  add_process(name,
              {&body, [](const void* object) -> void* { return new Body(*static_cast<const Body*>(object)); },
               [](void* object) { (*static_cast<Body*>(object))(); },
               [](void* object) { delete static_cast<Body*>(object); }});
}

// What runs elsewhere on streams of the network, such as processes in a simulator of hardware. A process of
// the network that is there is named by `stb_set("outside.<process>", 1)`, and not started here.
class Outside {
 public:
  Outside() = default;
  virtual ~Outside() = default;
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;
  virtual void begin_launch() = 0;
  // Goes on by a cycle, when nobody here can; false: nothing will happen any more.
  virtual bool step() = 0;
};

// `outside` must live as long as launches run; null: all is here.
void set_outside(Outside* outside);

// Gives the processes and streams made in its lifetime the names `unit.process`, `unit.stream`.
class Unit {
 public:
  explicit Unit(const char* name);
  ~Unit();
  Unit(const Unit&) = delete;
  Unit& operator=(const Unit&) = delete;
};

// The system: defined by the generated system.cpp. `build` calls the compute kernels, `launch` the
// host-started one.
void build();
void launch(void* const* buffers, const std::uint64_t* scalars);

}  // namespace sim
}  // namespace stb
