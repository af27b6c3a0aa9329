// The network of the example: every compute unit and the streams between them.
#include "stb/stream.hpp"

extern "C" void control(const stb::Word* weights_0_mem, const stb::Word* weights_1_mem,
                        const stb::Word* weights_2_mem, const stb::Word* weights_3_mem,
                        const stb::Word* program_mem, const stb::Word* x_mem, stb::Word* y_mem, int n,
                        int pos, int head, int program_words, int weight_words, int x_words, int y_words,
                        stb::Port<stb::Word>& y, stb::Port<stb::Word>& desc, stb::Port<stb::Cmd>& cmd_echo,
                        stb::Port<stb::Word>& x, stb::Port<stb::Word>& weights_0,
                        stb::Port<stb::Word>& weights_1, stb::Port<stb::Word>& weights_2,
                        stb::Port<stb::Word>& weights_3);
extern "C" void echo(stb::Port<stb::Cmd>& cmd_echo, stb::Port<stb::Word>& x, stb::Port<stb::Word>& linear_y,
                     stb::Port<stb::Word>& linear_x, stb::Port<stb::Word>& y);
extern "C" void router(stb::Port<stb::Word>& desc, stb::Port<stb::Word>& linear_x,
                       stb::Port<stb::Word>& tiles_0, stb::Port<stb::Word>& tiles_1,
                       stb::Port<stb::Word>& desc_0, stb::Port<stb::Word>& act_0,
                       stb::Port<stb::Word>& desc_1, stb::Port<stb::Word>& act_1,
                       stb::Port<stb::Word>& linear_y);
extern "C" void matmul(stb::Port<stb::Word>& desc, stb::Port<stb::Word>& act, stb::Port<stb::Word>& weights_0,
                       stb::Port<stb::Word>& weights_1, stb::Port<stb::Word>& tiles);

namespace stb {
namespace sim {

void build() {
  Port<Word> y = open_port<Word>("y", 8);
  Port<Word> desc = open_port<Word>("desc", 4);
  Port<Cmd> cmd_echo = open_port<Cmd>("cmd_echo", 2);
  Port<Word> x = open_port<Word>("x", 8);
  Port<Word> weights_0 = open_port<Word>("weights_0", 32);
  Port<Word> weights_1 = open_port<Word>("weights_1", 32);
  Port<Word> weights_2 = open_port<Word>("weights_2", 32);
  Port<Word> weights_3 = open_port<Word>("weights_3", 32);
  Port<Word> linear_x = open_port<Word>("linear_x", 8);
  Port<Word> linear_y = open_port<Word>("linear_y", 8);
  Port<Word> desc_0 = open_port<Word>("desc_0", 4);
  Port<Word> act_0 = open_port<Word>("act_0", 8);
  Port<Word> tiles_0 = open_port<Word>("tiles_0", 8);
  Port<Word> desc_1 = open_port<Word>("desc_1", 4);
  Port<Word> act_1 = open_port<Word>("act_1", 8);
  Port<Word> tiles_1 = open_port<Word>("tiles_1", 8);
  {
    const Unit unit("echo");
    echo(cmd_echo, x, linear_y, linear_x, y);
  }
  {
    const Unit unit("router");
    router(desc, linear_x, tiles_0, tiles_1, desc_0, act_0, desc_1, act_1, linear_y);
  }
  {
    const Unit unit("matmul_0");
    matmul(desc_0, act_0, weights_0, weights_1, tiles_0);
  }
  {
    const Unit unit("matmul_1");
    matmul(desc_1, act_1, weights_2, weights_3, tiles_1);
  }
}

void launch(void* const* buffers, const std::uint64_t* scalars) {
  Port<Word> y = open_port<Word>("y", 8);
  Port<Word> desc = open_port<Word>("desc", 4);
  Port<Cmd> cmd_echo = open_port<Cmd>("cmd_echo", 2);
  Port<Word> x = open_port<Word>("x", 8);
  Port<Word> weights_0 = open_port<Word>("weights_0", 32);
  Port<Word> weights_1 = open_port<Word>("weights_1", 32);
  Port<Word> weights_2 = open_port<Word>("weights_2", 32);
  Port<Word> weights_3 = open_port<Word>("weights_3", 32);
  const Unit unit("control");
  control(static_cast<const Word*>(buffers[0]), static_cast<const Word*>(buffers[1]),
          static_cast<const Word*>(buffers[2]), static_cast<const Word*>(buffers[3]),
          static_cast<const Word*>(buffers[4]), static_cast<const Word*>(buffers[5]),
          static_cast<Word*>(buffers[6]), static_cast<int>(scalars[0]), static_cast<int>(scalars[1]),
          static_cast<int>(scalars[2]), static_cast<int>(scalars[3]), static_cast<int>(scalars[4]),
          static_cast<int>(scalars[5]), static_cast<int>(scalars[6]), y, desc, cmd_echo, x, weights_0,
          weights_1, weights_2, weights_3);
}

}  // namespace sim
}  // namespace stb
