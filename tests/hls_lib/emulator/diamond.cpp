// A diamond such as an RMS norm's: each vector goes to a statistic, and waits for it in a FIFO beside.
#include "stb/memory.hpp"
#include "stb/stream.hpp"

namespace {

constexpr int kVector = 64;
constexpr int kLatency = 20;  // of the statistic, after the last element

void fork(stb::Port<stb::Word>& x, stb::Port<stb::Word>& aside, stb::Port<stb::Word>& measured) {
elements:
  for (int i = 0; i < kVector; ++i) {
    STB_FLUSHABLE(1)
    const stb::Word word = x.read();
    stb::write_all(aside, word, measured, word);
    STB_TICK(1)
  }
}

void measure(stb::Port<stb::Word>& measured, stb::Port<stb::Word>& statistic) {
  std::int32_t sum = 0;
elements:
  for (int i = 0; i < kVector; ++i) {
    STB_FLUSHABLE(1)
    sum += stb::lane(measured.read(), 0);
    STB_TICK(i + 1 < kVector ? 1 : 0)
  }
  stb::Word word = stb::zero_word();
  stb::set_lane(word, 0, sum);
  stb::sim::clock().latency = kLatency;
  statistic.write(word);
  STB_TICK(1)
}

void apply(stb::Port<stb::Word>& aside, stb::Port<stb::Word>& statistic, stb::Port<stb::Word>& y) {
  const std::int32_t sum = stb::lane(statistic.read(), 0);
elements:
  for (int i = 0; i < kVector; ++i) {
    STB_FLUSHABLE(1)
    stb::Word word = aside.read();
    stb::set_lane(word, 1, sum);
    y.write(word);
    STB_TICK(1)
  }
}

}  // namespace

extern "C" void diamond(stb::Port<stb::Word>& x, stb::Port<stb::Word>& y) {
#pragma HLS DATAFLOW
  STB_FIFO(stb::Word, aside, 64)
  STB_FIFO(stb::Word, measured, 2)
  STB_FIFO(stb::Word, statistic, 2)
  STB_CALL(fork, (fork(x, aside, measured)))
  STB_CALL(measure, (measure(measured, statistic)))
  STB_CALL(apply, (apply(aside, statistic, y)))
}

extern "C" void control(const stb::Word* x_mem, stb::Word* y_mem, int words, stb::Port<stb::Word>& x,
                        stb::Port<stb::Word>& y) {
  STB_CALL(read_x, (stb::send(x_mem, 0, words, x)))
  STB_CALL(write_y, (stb::write_words(y_mem, words, y)))
}

namespace stb {
namespace sim {

void build() {
  Port<Word> x = open_port<Word>("x", 2);
  Port<Word> y = open_port<Word>("y", 2);
  const Unit unit("diamond");
  diamond(x, y);
}

void launch(void* const* buffers, const std::uint64_t* scalars) {
  Port<Word> x = open_port<Word>("x", 2);
  Port<Word> y = open_port<Word>("y", 2);
  const Unit unit("control");
  control(static_cast<const Word*>(buffers[0]), static_cast<Word*>(buffers[1]), static_cast<int>(scalars[0]),
          x, y);
}

}  // namespace sim
}  // namespace stb
