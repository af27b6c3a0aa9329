// Runs whoever can run, last woken first, until nobody can; then judges how the launch ended.
//
// Last woken first keeps a reader beside its writer, so that what passes between them stays in the
// cache. In a Kahn network the order changes no value and no deadlock.
#include "scheduler.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "strict.hpp"

namespace stb {
namespace sim {
namespace {

std::uint64_t power_of_two(std::uint64_t least) {
  std::uint64_t size = 1;
  while (size < least) size *= 2;
  return size;
}

void shape(Fifo& channel, std::uint64_t depth) {
  channel.depth = depth;
  channel.mask = channel.own_mask = power_of_two(depth) - 1;
  const std::uint64_t bytes = (channel.mask + 1) * static_cast<std::uint64_t>(channel.item_bytes);
  channel.storage = static_cast<unsigned char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  if (channel.storage == nullptr) throw std::bad_alloc();
  channel.ring = channel.storage;
  if (!kTimed) return;
  channel.write_cycles.assign(channel.mask + 1, 0);
  channel.read_cycles.assign(channel.mask + 1, 0);
  channel.written = channel.write_cycles.data();
  channel.freed = channel.read_cycles.data();
}

// An empty channel counts from 0 again; whoever waits for data goes on waiting.
void rewind(Fifo& channel) {
  channel.data_wait = channel.space_wait = 0;
  if (channel.reader != nullptr && channel.wake_tail != 0) channel.wake_tail -= channel.head;
  channel.head = channel.tail = 0;
  channel.ring = channel.storage;
  channel.mask = channel.own_mask;
  channel.run_end = kNever;
  channel.runs.clear();
}

}  // namespace

Scheduler& device() {
  static Scheduler* const the_device = new Scheduler;  // lives as long as the shared object
  return *the_device;
}

int Scheduler::run(void* const* buffers, const std::uint64_t* scalars) {
  int code = 2;
  try {
    code = try_run(buffers, scalars);
  } catch (const std::exception& error) {
    message_ = error.what();
  }
  if (code != 0) reset();
  return code;
}

int Scheduler::try_run(void* const* buffers, const std::uint64_t* scalars) {
  message_.clear();
  ensure_built();
  if (stopped_) return 2;
  begin_launch();
  launch(buffers, scalars);
  launching_ = false;
  run_ready();
  while (outside_ != nullptr && !stopped_ && outside_->step()) run_ready();
  const int code = judge();
  if (code == 0) end_launch();
  return code;
}

void Scheduler::ensure_built() {
  if (built_) return;
  build();
  run_ready();
  for (const auto& process : processes_) process->home = process->waits_for;
  built_ = !stopped_;
}

void Scheduler::begin_launch() {
  launching_ = true;
  cycles_ = 0;
  memory_log_ = MemoryLog{};
  for (const auto& entry : channels_) rewind(*entry.second);
  for (const auto& process : processes_) process->begin_launch();
  if (outside_ != nullptr) outside_->begin_launch();
}

int Scheduler::judge() {
  if (stopped_) return 2;
  message_ = explain_deadlock(*this);
  if (!message_.empty()) return 1;
  message_ = explain_leftovers(*this);
  return message_.empty() ? 0 : 2;
}

void Scheduler::end_launch() {
  for (const auto& process : processes_) cycles_ = std::max(cycles_, process->clock.now);
  if (kTimed) profile_ = describe_times(*this);
  if (kTrace) trace_ = describe_traces(*this);
  for (const auto& process : processes_) {
    if (process->once) spare_stacks_.push_back(std::move(process->stack));
  }
  for (const auto& entry : channels_) {
    auto& ends = entry.second->ends;
    ends.erase(std::remove_if(ends.begin(), ends.end(), [](const Process* process) { return process->once; }),
               ends.end());
  }
  const auto first = std::remove_if(processes_.begin(), processes_.end(),
                                    [](const std::unique_ptr<Process>& process) { return process->once; });
  processes_.erase(first, processes_.end());
}

void Scheduler::reset() {
  for (auto& process : processes_) spare_stacks_.push_back(std::move(process->stack));
  processes_.clear();
  channels_.clear();
  ready_.clear();
  units_.clear();
  running_ = nullptr;
  built_ = launching_ = stopped_ = false;
}

// Takes the process that was woken last.
Fiber& Scheduler::next_ready() {
  running_ = ready_.back();
  running_clock = &running_->clock;
  ready_.pop_back();
  return running_->fiber;
}

void Scheduler::run_ready() {
  if (!ready_.empty()) Fiber::change(main_, next_ready());
}

// The running process waits or has ended: on with the next one, or back to the launch.
void Scheduler::leave() {
  Process* self = running_;
  running_ = nullptr;
  Fiber& next = !stopped_ && !ready_.empty() ? next_ready() : main_;
  Fiber::change(self->fiber, next);
}

void Scheduler::block(const Fifo& channel, bool to_write, std::uint64_t wanted) {
  if (running_ == nullptr) throw std::logic_error("stream " + channel.name + " is used outside of a process");
  running_->waits_for = &channel;
  running_->waits_to_write = to_write;
  running_->wanted = wanted;
  leave();
}

void Scheduler::wake(Process*& waiting) {
  waiting->waits_for = nullptr;
  ready_.push_back(waiting);
  waiting = nullptr;
}

void Scheduler::stop(const std::string& message) {
  if (running_ == nullptr) throw std::runtime_error(message);
  message_ = running_->name + ": " + message;
  stopped_ = true;
  leave();
  std::abort();
}

Fifo& Scheduler::open(const std::string& name, std::uint64_t depth, long item_bytes) {
  std::unique_ptr<Fifo>& channel = channels_[name];
  if (channel != nullptr) {
    if (channel->item_bytes == item_bytes) return *channel;
    throw std::runtime_error("stream " + name + " is used with two types");
  }
  channel = std::make_unique<Fifo>();
  channel->name = name;
  channel->item_bytes = item_bytes;
  shape(*channel, static_cast<std::uint64_t>(setting("depth." + name, static_cast<double>(depth))));
  apply_tap(*channel);
  return *channel;
}

bool Scheduler::tap(const std::string& stream, Tap tap) {
  ensure_built();
  taps_[stream] = tap;
  const auto found = channels_.find(stream);
  if (found == channels_.end()) return false;
  apply_tap(*found->second);
  return true;
}

void Scheduler::apply_tap(Fifo& channel) {
  const auto found = taps_.find(channel.name);
  if (found == taps_.end()) return;
  channel.tap = found->second.function;
  channel.tap_user = found->second.user;
  channel.wake_tail = kNever;
  if (channel.reader != nullptr) channel.wake_tail = channel.head + channel.reader->wanted;
  if (channel.tap != nullptr) channel.wake_tail = 0;
}

void Scheduler::set(const std::string& key, double value) {
  settings_[key] = value;
  reset();
}

double Scheduler::setting(const std::string& key, double otherwise) const {
  const auto found = settings_.find(key);
  return found == settings_.end() ? otherwise : found->second;
}

void Scheduler::spawn(const std::string& name, const Closure& body) {
  if (running_ != nullptr) throw std::logic_error("process " + name + " is started by a process");
  if (setting("outside." + scoped(name), 0) > 0) return;
  processes_.push_back(std::make_unique<Process>());
  Process& process = *processes_.back();
  process.name = scoped(name);
  process.once = launching_;
  noted_.clear();
  process.body = {body.copy(body.object), body.drop};  // copies its streams, which note their new end
  process.call = body.call;
  process.streams = noted_;
  for (Fifo* channel : noted_) channel->ends.push_back(&process);
  const double rate = setting("bytes_per_cycle." + process.name, 64.0);
  process.clock.memory_step = 64.0 / rate;
  process.clock.memory_latency = static_cast<std::uint64_t>(setting("read_latency." + process.name, 0));
  if (!spare_stacks_.empty()) {
    process.stack = std::move(spare_stacks_.back());
    spare_stacks_.pop_back();
  } else {
    process.stack = std::make_unique<Stack>();
  }
  process.fiber.prepare(*process.stack, &Scheduler::enter, &process);
  ready_.push_back(&process);
}

void Scheduler::enter(void* argument) {
  Process& process = *static_cast<Process*>(argument);
  do {
    if (process.home != nullptr) process.home_head = process.home->head;
    process.call(process.body.get());
    leave_pipeline();
    process.clock.latency = 0;
  } while (!process.once);
  process.done = true;
  device().leave();
  std::abort();
}

}  // namespace sim
}  // namespace stb
