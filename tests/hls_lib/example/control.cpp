// Kernel control of the example: memory to streams and back, one launch at a time.
#include "stb/memory.hpp"
#include "stb/stream.hpp"

static void sequence(const stb::Word* program_mem, int words, int n, int pos, int head,
                     stb::Port<stb::Word>& desc, stb::Port<stb::Cmd>& cmd_echo) {
  cmd_echo.write(stb::make_cmd(n, head != 0, static_cast<std::uint32_t>(pos)));
  stb::sequence<4, 4>(program_mem, 0, words, n, pos, head, desc);
}

extern "C" void control(const stb::Word* weights_0_mem, const stb::Word* weights_1_mem,
                        const stb::Word* weights_2_mem, const stb::Word* weights_3_mem,
                        const stb::Word* program_mem, const stb::Word* x_mem, stb::Word* y_mem, int n,
                        int pos, int head, int program_words, int weight_words, int x_words, int y_words,
                        stb::Port<stb::Word>& y, stb::Port<stb::Word>& desc, stb::Port<stb::Cmd>& cmd_echo,
                        stb::Port<stb::Word>& x, stb::Port<stb::Word>& weights_0,
                        stb::Port<stb::Word>& weights_1, stb::Port<stb::Word>& weights_2,
                        stb::Port<stb::Word>& weights_3) {
#pragma HLS INTERFACE mode = m_axi port = weights_0_mem bundle = hbm0 offset = slave
#pragma HLS INTERFACE mode = m_axi port = weights_1_mem bundle = hbm1 offset = slave
#pragma HLS INTERFACE mode = m_axi port = weights_2_mem bundle = hbm2 offset = slave
#pragma HLS INTERFACE mode = m_axi port = weights_3_mem bundle = hbm3 offset = slave
#pragma HLS INTERFACE mode = m_axi port = program_mem bundle = hbm4 offset = slave
#pragma HLS INTERFACE mode = m_axi port = x_mem bundle = hbm4 offset = slave
#pragma HLS INTERFACE mode = m_axi port = y_mem bundle = hbm5 offset = slave
#pragma HLS INTERFACE mode = axis port = y
#pragma HLS INTERFACE mode = axis port = desc
#pragma HLS INTERFACE mode = axis port = cmd_echo
#pragma HLS INTERFACE mode = axis port = x
#pragma HLS INTERFACE mode = axis port = weights_0
#pragma HLS INTERFACE mode = axis port = weights_1
#pragma HLS INTERFACE mode = axis port = weights_2
#pragma HLS INTERFACE mode = axis port = weights_3
#pragma HLS INTERFACE mode = s_axilite port = return
#pragma HLS DATAFLOW
  STB_CALL(sequence, (sequence(program_mem, program_words, n, pos, head, desc, cmd_echo)))
  STB_CALL(read_x, (stb::send(x_mem, 0, x_words, x)))
  STB_CALL(read_weights_0, (stb::read_weights(weights_0_mem, weight_words, 0, head, weights_0)))
  STB_CALL(read_weights_1, (stb::read_weights(weights_1_mem, weight_words, 0, head, weights_1)))
  STB_CALL(read_weights_2, (stb::read_weights(weights_2_mem, weight_words, 0, head, weights_2)))
  STB_CALL(read_weights_3, (stb::read_weights(weights_3_mem, weight_words, 0, head, weights_3)))
  STB_CALL(write_y, (stb::write_words(y_mem, y_words, y)))
}
