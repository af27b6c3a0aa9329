// The C interface, over the scheduler.
#include "abi.hpp"

#include <string>

#include "scheduler.hpp"

namespace {

stb::sim::Scheduler& device() { return stb::sim::device(); }

bool starts_with(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }

}  // namespace

int stb_run(void* const* buffers, const std::uint64_t* scalars) { return device().run(buffers, scalars); }

const char* stb_message() { return device().message().c_str(); }

std::uint64_t stb_cycles() { return device().cycles(); }

const char* stb_trace() { return device().trace().c_str(); }

const char* stb_profile() { return device().profile().c_str(); }

int stb_tap(const char* stream, void (*function)(void*, const void*, long), void* user) {
  return device().tap(stream, {function, user}) ? 0 : 1;
}

int stb_set(const char* key, double value) {
  const std::string name = key;
  if (!starts_with(name, "depth.") && !starts_with(name, "bytes_per_cycle.") &&
      !starts_with(name, "read_latency.") && !starts_with(name, "outside.") && name != "strict.latency") {
    return 1;
  }
  if (!(value > 0)) return 1;
  device().set(name, value);
  return 0;
}

const char* stb_streams() {
  static std::string text;
  text = "[";
  for (const auto& entry : device().channels()) {
    const stb::sim::Fifo& channel = *entry.second;
    text += (text.size() > 1 ? ", " : "");
    text += "{\"name\": \"" + channel.name + "\", \"depth\": " + std::to_string(channel.depth) +
            ", \"high\": " + std::to_string(channel.high);
    if (stb::sim::kTimed) {
      text += ", \"data_wait\": " + std::to_string(channel.data_wait) +
              ", \"space_wait\": " + std::to_string(channel.space_wait);
    }
    text += "}";
  }
  text += "]";
  return text.c_str();
}
