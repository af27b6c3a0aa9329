// A feedback loop such as matmul, norm, matmul: the next vector goes in when the one before has come out.
#include "stb/memory.hpp"
#include "stb/stream.hpp"

namespace {

constexpr int kVector = 8;

void norm(stb::Port<stb::Word>& x, stb::Port<stb::Word>& y) {
vectors:
  for (int v = 0; v < 4; ++v) {
  words:
    for (int i = 0; i < kVector; ++i) {
      STB_FLUSHABLE(1)
      y.write(x.read());
      STB_TICK(1)
    }
  }
}

void matmul(stb::Port<stb::Word>& first, stb::Port<stb::Word>& y, stb::Port<stb::Word>& x,
            stb::Port<stb::Word>& last) {
  stb::Word vector[kVector];
  stb::read_n(first, vector, kVector);
vectors:
  for (int v = 0; v < 4; ++v) {
    stb::write_n(x, vector, kVector);
    stb::read_n(y, vector, kVector);
  }
  stb::write_n(last, vector, kVector);
}

}  // namespace

extern "C" void control(const stb::Word* x_mem, stb::Word* y_mem, int send, int receive,
                        stb::Port<stb::Word>& x, stb::Port<stb::Word>& y) {
  STB_CALL(read_x, (stb::send(x_mem, 0, send, x)))
  STB_CALL(write_y, (stb::write_words(y_mem, receive, y)))
}

namespace stb {
namespace sim {

void build() {
  Port<Word> first = open_port<Word>("first", kVector);
  Port<Word> last = open_port<Word>("last", kVector);
  const Unit unit("loop");
  STB_FIFO(Word, x, kVector)
  STB_FIFO(Word, y, kVector)
  STB_CALL(norm, (norm(x, y)))
  STB_CALL(matmul, (matmul(first, y, x, last)))
}

void launch(void* const* buffers, const std::uint64_t* scalars) {
  Port<Word> first = open_port<Word>("first", kVector);
  Port<Word> last = open_port<Word>("last", kVector);
  const Unit unit("control");
  control(static_cast<const Word*>(buffers[0]), static_cast<Word*>(buffers[1]), static_cast<int>(scalars[0]),
          static_cast<int>(scalars[1]), first, last);
}

}  // namespace sim
}  // namespace stb
