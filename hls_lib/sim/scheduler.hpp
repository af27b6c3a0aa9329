// The emulated device: its processes, its streams, its settings, and one launch at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fiber.hpp"
#include "fifo.hpp"
#include "runtime.hpp"
#include "strict_state.hpp"
#include "trace.hpp"

namespace stb {
namespace sim {

struct Process {
  std::string name;
  std::unique_ptr<void, void (*)(void*)> body{nullptr, nullptr};
  void (*call)(void* body) = nullptr;
  bool once = false;  // runs once per launch
  bool done = false;
  Fiber fiber;
  std::unique_ptr<Stack> stack;
  Clock clock;
  Pipeline pipeline;
  Trace trace;
  std::vector<Fifo*> streams;       // those its call names
  const Fifo* waits_for = nullptr;  // null: it can run
  bool waits_to_write = false;
  std::uint64_t wanted = 0;     // tokens or free slots it waits for
  const Fifo* home = nullptr;   // where it waits between launches
  std::uint64_t home_head = 0;  // what had been read there when its call began

  void begin_launch() {
    clock.now = clock.data_wait = clock.space_wait = home_head = 0;
    trace.steps.clear();
  }
};

struct Tap {
  TapFunction function = nullptr;
  void* user = nullptr;
};

class Scheduler {
 public:
  // 0: done, 1: deadlock, 2: a check failed; then message() says which, and the device starts afresh.
  int run(void* const* buffers, const std::uint64_t* scalars);

  const std::string& message() const { return message_; }
  std::uint64_t cycles() const { return cycles_; }
  const std::string& profile() const { return profile_; }
  const std::string& trace() const { return trace_; }
  bool tap(const std::string& stream, Tap tap);
  void set(const std::string& key, double value);
  void set_outside(Outside* outside) { outside_ = outside; }
  double setting(const std::string& key, double otherwise) const;
  const std::map<std::string, std::unique_ptr<Fifo>>& channels() const { return channels_; }
  const std::vector<std::unique_ptr<Process>>& processes() const { return processes_; }
  MemoryLog& memory_log() { return memory_log_; }

  Process& running() { return *running_; }
  bool in_process() const { return running_ != nullptr; }
  void block(const Fifo& channel, bool to_write, std::uint64_t wanted);
  void wake(Process*& waiting);
  [[noreturn]] void stop(const std::string& message);
  Fifo& open(const std::string& name, std::uint64_t depth, long item_bytes);
  void note_end(Fifo& channel) { noted_.push_back(&channel); }
  void spawn(const std::string& name, const Closure& body);
  void enter_unit(const std::string& name) { units_.push_back(scoped(name)); }
  void leave_unit() { units_.pop_back(); }
  std::string scoped(const std::string& name) const {
    return units_.empty() ? name : units_.back() + "." + name;
  }

 private:
  static void enter(void* process);
  int try_run(void* const* buffers, const std::uint64_t* scalars);
  void ensure_built();
  void begin_launch();
  int judge();
  void end_launch();
  void reset();
  void apply_tap(Fifo& channel);
  Fiber& next_ready();
  void run_ready();
  void leave();

  Fiber main_;
  Process* running_ = nullptr;
  Outside* outside_ = nullptr;
  std::vector<Process*> ready_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::unique_ptr<Stack>> spare_stacks_;
  std::map<std::string, std::unique_ptr<Fifo>> channels_;
  std::map<std::string, Tap> taps_;
  std::map<std::string, double> settings_;
  std::vector<Fifo*> noted_;
  MemoryLog memory_log_;
  std::vector<std::string> units_;  // those in scope, the innermost last
  std::string message_;
  std::string profile_ = "[]";
  std::string trace_ = "{}";
  std::uint64_t cycles_ = 0;
  bool built_ = false;
  bool launching_ = false;
  bool stopped_ = false;
};

// The one device of this shared object.
Scheduler& device();

// What is wrong with a device where nobody can run, or an empty sentence (report.cpp).
std::string explain_deadlock(const Scheduler& device);
std::string explain_leftovers(const Scheduler& device);

// How the processes of the timed network spent the launch, as JSON (report.cpp).
std::string describe_times(const Scheduler& device);

// What the processes of the traced build read and wrote in the launch, as JSON (report.cpp).
std::string describe_traces(const Scheduler& device);

}  // namespace sim
}  // namespace stb
