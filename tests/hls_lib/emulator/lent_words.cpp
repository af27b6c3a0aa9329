// A program of launches over three streams, each once as it is, with memory lent, and once with all streams
// tapped, so that words are copied: both must give the same words, fills, traces and reports.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "../../../hls_lib/sim/scheduler.hpp"
#include "stb/lane.hpp"
#include "stb/memory.hpp"
#include "stb/stream.hpp"

namespace {

using stb::Port;
using stb::Word;

constexpr int kMemory = 300;
constexpr int kGroup = 64;
constexpr int kStreams = 3;
constexpr std::uint64_t kDepths[kStreams] = {7, 1, 13};

// Kinds of the writer: 0 sends memory, 1 writes word by word, 2 all at once; of the reader: 0 word by word, 1
// all at once, 2 in groups of `first`.
struct Step {
  int kind;
  int first;
  int count;
  int stream;
};
using Plan = std::vector<Step>;

// What both processes do, and the steps before which they fail; -1: none.
struct Launch {
  Plan writes;
  Plan reads;
  int writer_fails;
  int reader_fails;
};

struct Outcome {
  int code;
  std::string message;
  std::string trace;
  std::vector<std::uint64_t> high;
  std::vector<int> words[kStreams];

  bool operator==(const Outcome& other) const {
    return code == other.code && message == other.message && trace == other.trace && high == other.high &&
           std::equal(words, words + kStreams, other.words);
  }
};

alignas(64) Word memory[kMemory];
std::function<void()> next_launch;
std::mt19937 draws(1);

int drawn(int least, int most) {
  return least + static_cast<int>(draws() % static_cast<unsigned>(most - least + 1));
}

void write_steps(const Launch* launch, Port<Word>& a, Port<Word>& b, Port<Word>& c) {
  Port<Word>* const streams[] = {&a, &b, &c};
  int left = launch->writer_fails;
  for (const Step& step : launch->writes) {
    if (left-- == 0) stb::sim::fail("the writer stops");
    Port<Word>& out = *streams[step.stream];
    if (step.kind == 0) {
      stb::send(memory, step.first, step.count, out);
    } else if (step.kind == 1) {
      for (int k = 0; k < step.count; ++k) out.write(memory[step.first + k]);
    } else {
      stb::give_n(out, memory + step.first, step.count);
    }
  }
}

// Reads words of a step, at most `left`.
int read_some(const Step& step, int left, Port<Word>& in, std::vector<int>& words) {
  Word copy[kGroup];
  const Word* found = copy;
  int count = step.kind == 0 ? 1 : left;
  if (step.kind == 0) {
    copy[0] = in.read();
  } else if (step.kind == 1) {
    stb::take_n(in, copy, count);
  } else {
    const auto run = stb::sim::take_groups(in, copy, step.first, left / step.first);
    found = run.tokens;
    count = run.groups * step.first;
  }
  for (int k = 0; k < count; ++k) words.push_back(stb::lane(found[k], 0));
  return count;
}

void read_steps(const Launch* launch, std::vector<int>* words, Port<Word>& a, Port<Word>& b, Port<Word>& c) {
  Port<Word>* const streams[] = {&a, &b, &c};
  int until = launch->reader_fails;
  for (const Step& step : launch->reads) {
    if (until-- == 0) stb::sim::fail("the reader stops");
    for (int left = step.count; left > 0;)
      left -= read_some(step, left, *streams[step.stream], words[step.stream]);
  }
}

void ignore(void*, const void*, long) {}

Outcome run(const Launch& launch, bool tapped) {
  for (const char* name : {"unit.a", "unit.b", "unit.c"}) {
    stb::sim::device().tap(name, tapped ? stb::sim::Tap{ignore, nullptr} : stb::sim::Tap{});
  }
  Outcome outcome;
  next_launch = [&] {
    const stb::sim::Unit unit("unit");
    Port<Word> a = stb::sim::open_port<Word>("a", kDepths[0]);
    Port<Word> b = stb::sim::open_port<Word>("b", kDepths[1]);
    Port<Word> c = stb::sim::open_port<Word>("c", kDepths[2]);
    const Launch* plan = &launch;
    std::vector<int>* words = outcome.words;
    STB_CALL(write, (write_steps(plan, a, b, c)))
    STB_CALL(read, (read_steps(plan, words, a, b, c)))
  };
  outcome.code = stb::sim::device().run(nullptr, nullptr);
  outcome.message = stb::sim::device().message();
  if (outcome.code == 0) outcome.trace = stb::sim::device().trace();
  for (const auto& entry : stb::sim::device().channels()) {
    outcome.high.push_back(entry.second->high);
    entry.second->high = 0;
  }
  return outcome;
}

// Steps that read `count` words of a stream.
void add_reads(Plan& reads, int stream, int count) {
  while (count > 0) {
    const int group = drawn(1, 9);
    const int part = std::min(count, group * drawn(1, 5));
    const int kind = drawn(0, 2);
    reads.push_back({kind == 2 && part % group != 0 ? 1 : kind, group, part, stream});
    count -= part;
  }
}

// Memory often goes on where the step before ended; some launches lack reads, some stop, some deadlock.
Launch drawn_launch() {
  Launch launch;
  int counts[kStreams] = {};
  int at = 0;
  for (int left = drawn(1, 18); left > 0; --left) {
    const int count = drawn(0, 4) > 0 ? drawn(1, 40) : 0;
    const int first = drawn(0, 2) > 0 && at + count <= kMemory ? at : drawn(0, kMemory - count);
    launch.writes.push_back({drawn(0, 5) < 4 ? 0 : drawn(1, 2), first, count, drawn(0, kStreams - 1)});
    counts[launch.writes.back().stream] += count;
    at = first + count;
  }
  if (drawn(0, 3) > 0) {
    for (const Step& step : launch.writes) add_reads(launch.reads, step.stream, step.count);
  } else {
    for (int stream = 0; stream < kStreams; ++stream) add_reads(launch.reads, stream, counts[stream]);
  }
  if (drawn(0, 6) == 0 && launch.reads.size() > 1) launch.reads.pop_back();
  launch.writer_fails = drawn(0, 9) > 0 ? -1 : drawn(0, static_cast<int>(launch.writes.size()));
  launch.reader_fails = drawn(0, 9) > 0 ? -1 : drawn(0, static_cast<int>(launch.reads.size()));
  return launch;
}

// Whether the words read are those written, all of them after a launch that ended well.
bool right_words(const Launch& launch, const Outcome& outcome) {
  std::vector<int> sent[kStreams];
  for (const Step& step : launch.writes) {
    for (int k = 0; k < step.count; ++k) sent[step.stream].push_back(step.first + k);
  }
  for (int stream = 0; stream < kStreams; ++stream) {
    const std::vector<int>& found = outcome.words[stream];
    if (found.size() > sent[stream].size()) return false;
    if (!std::equal(found.begin(), found.end(), sent[stream].begin())) return false;
    if (outcome.code == 0 && found.size() < sent[stream].size()) return false;
  }
  return true;
}

}  // namespace

namespace stb {
namespace sim {

void build() {}
void launch(void* const*, const std::uint64_t*) { next_launch(); }

}  // namespace sim
}  // namespace stb

int main() {
  for (int i = 0; i < kMemory; ++i) {
    memory[i] = stb::zero_word();
    stb::set_lane(memory[i], 0, i);
  }
  int ends[3] = {};
  for (int i = 0; i < 3000; ++i) {
    const Launch launch = drawn_launch();
    const Outcome lent = run(launch, false);
    const Outcome copied = run(launch, true);
    ++ends[lent.code];
    if (lent == copied && right_words(launch, lent)) continue;
    std::printf("launch %d\n%s\n%s\n", i, lent.message.c_str(), copied.message.c_str());
    return 1;
  }
  std::printf("%d done, %d deadlocks, %d stopped\n", ends[0], ends[1], ends[2]);
  return ends[0] > 0 && ends[1] > 0 && ends[2] > 0 ? 0 : 1;
}
