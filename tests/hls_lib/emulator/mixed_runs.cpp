// A stream whose writer sends runs of memory between words of its own, and whose reader takes them in groups,
// in copies and one by one. The plan says of each step how, where from and how many.
#include <algorithm>

#include "stb/lane.hpp"
#include "stb/memory.hpp"
#include "stb/stream.hpp"

namespace {

constexpr int kMost = 64;

struct Step {
  int kind;
  int first;
  int count;
};

Step step_at(const stb::Word* plan, int index) {
  return {stb::lane(plan[index], 0), stb::lane(plan[index], 1), stb::lane(plan[index], 2)};
}

void write_steps(const stb::Word* mem, const stb::Word* plan, int steps, stb::Port<stb::Word>& out) {
  for (int i = 0; i < steps; ++i) {
    const Step step = step_at(plan, i);
    if (step.kind == 0) {
      stb::send(mem, step.first, step.count, out);
    } else {
      for (int k = 0; k < step.count; ++k) out.write(mem[step.first + k]);
    }
  }
}

void read_steps(const stb::Word* plan, int steps, stb::Port<stb::Word>& in, stb::Port<stb::Word>& out) {
  stb::Word words[kMost];
  for (int i = 0; i < steps; ++i) {
    const Step step = step_at(plan, i);
    for (int left = step.count; left > 0;) {
      int taken = 1;
      if (step.kind == 0) {
        words[0] = in.read();
      } else if (step.kind == 1) {
        taken = left;
        stb::take_n(in, words, taken);
      } else if (stb::sim::kSingle) {
        taken = step.first;
        stb::take_n(in, words, taken);
      } else {
        const auto run = stb::sim::take_groups(in, words, step.first, left / step.first);
        taken = run.groups * step.first;
        std::copy(run.tokens, run.tokens + taken, words);
      }
      stb::give_n(out, words, taken);
      left -= taken;
    }
  }
}

}  // namespace

namespace stb {
namespace sim {

void build() {}

// Buffers: memory, the writer's steps, the reader's steps, the result.
void launch(void* const* buffers, const std::uint64_t* scalars) {
  const Unit unit("control");
  Port<Word> x = open_port<Word>("x", 7);
  Port<Word> y = open_port<Word>("y", 2);
  const auto* mem = static_cast<const Word*>(buffers[0]);
  const auto* writes = static_cast<const Word*>(buffers[1]);
  const auto* reads = static_cast<const Word*>(buffers[2]);
  auto* result = static_cast<Word*>(buffers[3]);
  const int write_count = static_cast<int>(scalars[0]);
  const int read_count = static_cast<int>(scalars[1]);
  const auto words = static_cast<std::int64_t>(scalars[2]);
  STB_CALL(write_x, (write_steps(mem, writes, write_count, x)))
  STB_CALL(read_x, (read_steps(reads, read_count, x, y)))
  STB_CALL(write_y, (write_words(result, words, y)))
}

}  // namespace sim
}  // namespace stb
