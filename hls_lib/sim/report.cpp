// What is said about a launch: why it did not end well, how the processes spent their cycles.
#include <algorithm>
#include <map>
#include <vector>

#include "scheduler.hpp"

namespace stb {
namespace sim {
namespace {

std::string state_of(const Process& process) {
  const Fifo& channel = *process.waits_for;
  std::string text = process.name;
  text += process.waits_to_write ? " waits to write " : " waits to read ";
  text += channel.name + " (depth " + std::to_string(channel.depth) + ", fill " +
          std::to_string(channel.tail - channel.head);
  text += process.waits_to_write ? ", full" : channel.tail == channel.head ? ", empty" : ", too few";
  text += ", " + std::to_string(channel.tail) + " written, " + std::to_string(channel.head) + " read)";
  if (kTimed) text += " at cycle " + std::to_string(process.clock.now);
  return text;
}

// The process at the other end of the stream that `process` waits for; null if nobody is there.
const Process* other_end(const Process& process) {
  for (const Process* end : process.waits_for->ends) {
    if (end != &process && !end->done) return end;
  }
  return nullptr;
}

// Who waits for whom, from `process` on, until somebody comes again or waits for nobody.
std::vector<const Process*> chain_from(const Process& process, bool& cyclic) {
  std::vector<const Process*> chain;
  const Process* next = &process;
  while (next != nullptr && next->waits_for != nullptr) {
    const auto again = std::find(chain.begin(), chain.end(), next);
    if (again != chain.end()) {
      cyclic = true;
      chain.erase(chain.begin(), again);
      return chain;
    }
    chain.push_back(next);
    next = other_end(*next);
  }
  cyclic = false;
  return chain;
}

// Between two calls: at the first read of the next one.
bool is_home(const Process& process) {
  return process.waits_for == process.home &&
         (process.home == nullptr || process.home->head == process.home_head);
}

std::string text_of(const Step& step) {
  std::string text = step.write ? "[\"write\", [" : "[\"read\", [";
  for (const Channel* channel : step.streams) {
    text += (channel == step.streams.front() ? "\"" : ", \"") + fifo_of(*channel).name + "\"";
  }
  return text + "], " + std::to_string(step.count) + "]";
}

}  // namespace

std::string explain_deadlock(const Scheduler& device) {
  std::vector<const Process*> best;
  bool best_is_cycle = false;
  bool stuck = false;
  for (const auto& process : device.processes()) {
    if (!process->once || process->done) continue;
    stuck = true;
    bool cyclic = false;
    const std::vector<const Process*> chain = chain_from(*process, cyclic);
    if (best.empty() || (cyclic && !best_is_cycle)) {
      best = chain;
      best_is_cycle = cyclic;
    }
  }
  if (!stuck) return {};
  std::string text = best_is_cycle ? "deadlock: these processes wait for each other"
                                   : "deadlock: a process waits for data or room that will not come";
  for (const Process* process : best) text += "\n  " + state_of(*process);
  return text;
}

std::string explain_leftovers(const Scheduler& device) {
  for (const auto& entry : device.channels()) {
    const Fifo& channel = *entry.second;
    if (channel.tail == channel.head) continue;
    return "stream " + channel.name + " holds " + std::to_string(channel.tail - channel.head) +
           " tokens after the launch (depth " + std::to_string(channel.depth) + ")";
  }
  for (const auto& process : device.processes()) {
    if (process->done || is_home(*process)) continue;
    return "the launch ended in the middle of a call: " + state_of(*process);
  }
  return {};
}

std::string describe_times(const Scheduler& device) {
  std::map<std::string, const Clock*> clocks;
  for (const auto& process : device.processes()) clocks[process->name] = &process->clock;
  std::string text = "[";
  for (const auto& entry : clocks) {
    const Clock& clock = *entry.second;
    text += text.size() > 1 ? ", " : "";
    text += "{\"name\": \"" + entry.first + "\", \"end\": " + std::to_string(clock.now) +
            ", \"busy\": " + std::to_string(clock.now - clock.data_wait - clock.space_wait) +
            ", \"data_wait\": " + std::to_string(clock.data_wait) +
            ", \"space_wait\": " + std::to_string(clock.space_wait) + "}";
  }
  return text + "]";
}

std::string describe_traces(const Scheduler& device) {
  std::string text = "{";
  for (const auto& process : device.processes()) {
    text += (text.size() > 1 ? ", \"" : "\"") + process->name + "\": [";
    for (const Step& step : process->trace.steps) {
      text += (&step == &process->trace.steps.front() ? "" : ", ") + text_of(step);
    }
    text += "]";
  }
  return text + "}";
}

}  // namespace sim
}  // namespace stb
