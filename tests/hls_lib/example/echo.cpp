// Kernel echo of the example: a segment that lends the engine its input and passes the result on.
#include "stb/stream.hpp"

static constexpr int kInWords = 8;    // K = 256
static constexpr int kOutWords = 12;  // 192 rows

// Lag: none.
template <int WORDS>
static void pass(stb::Port<stb::Cmd>& cmd, stb::Port<stb::Word>& x, stb::Port<stb::Word>& y) {
  const int words = stb::cmd_tokens(cmd.read()) * WORDS;
pass_words:
  for (int i = 0; i < words; ++i) {
    STB_FLUSHABLE(1)
    y.write(x.read());
    STB_TICK(1)
  }
}

static void commands(stb::Port<stb::Cmd>& cmd, stb::Port<stb::Cmd>& to_pass_x,
                     stb::Port<stb::Cmd>& to_pass_y) {
  const stb::Cmd word = cmd.read();
  stb::write_all(to_pass_x, word, to_pass_y, word);
}

extern "C" void echo(stb::Port<stb::Cmd>& cmd_echo, stb::Port<stb::Word>& x, stb::Port<stb::Word>& linear_y,
                     stb::Port<stb::Word>& linear_x, stb::Port<stb::Word>& y) {
#pragma HLS INTERFACE mode = axis port = cmd_echo
#pragma HLS INTERFACE mode = axis port = x
#pragma HLS INTERFACE mode = axis port = linear_y
#pragma HLS INTERFACE mode = axis port = linear_x
#pragma HLS INTERFACE mode = axis port = y
#pragma HLS INTERFACE mode = ap_ctrl_none port = return
#pragma HLS DATAFLOW
  STB_FIFO(stb::Cmd, pass_x_cmd, 2)
  STB_FIFO(stb::Cmd, pass_y_cmd, 2)
  STB_CALL(commands, (commands(cmd_echo, pass_x_cmd, pass_y_cmd)))
  STB_CALL(pass_x, (pass<kInWords>(pass_x_cmd, x, linear_x)))
  STB_CALL(pass_y, (pass<kOutWords>(pass_y_cmd, linear_y, y)))
}
