// What a process has read and written in a launch, step by step: the traced build keeps it (STB_TRACE=1).
#pragma once

#include <cstdint>
#include <vector>

#include "channel.hpp"

namespace stb {
namespace sim {

// `count` reads (or writes) of `streams`, one behind the other; of several streams at the same time.
struct Step {
  bool write;
  std::vector<const Channel*> streams;
  std::uint64_t count;
};

struct Trace {
  std::vector<Step> steps;
  bool joint = false;  // inside a write to several streams
  std::vector<const Channel*> pending;

  // Equal steps that follow each other are one.
  void add(const Step& step) {
    if (!steps.empty() && steps.back().write == step.write && steps.back().streams == step.streams) {
      steps.back().count += step.count;
    } else {
      steps.push_back(step);
    }
  }
};

}  // namespace sim
}  // namespace stb
