// A card that says back what it is told: logits are the words of `weights`, the token is the first id.
// At position 7 control waits for a word that nobody sends.
#include "stb/memory.hpp"
#include "stb/stream.hpp"

using stb::Port;
using stb::Word;

// Lag: none.
static void pass(Port<Word>& in, Port<Word>& out) { out.write(in.read()); }

extern "C" void echo(Port<Word>& to_echo, Port<Word>& from_echo) {
  STB_FIFO(Word, inner, 2)
  STB_CALL(first, (pass(to_echo, inner)))
  STB_CALL(second, (pass(inner, from_echo)))
}

extern "C" void control(const Word* tokens, const Word* weights, Word* logits, Word* token, int pos, int head,
                        Port<Word>& from_echo, Port<Word>& to_echo, Port<Word>& words) {
  const int wanted = pos == 7 ? 18 : 17;
  STB_CALL(read_tokens, (stb::send(tokens, 0, 1, to_echo)))
  STB_CALL(write_token, (stb::write_words(token, 1, from_echo)))
  STB_CALL(read_weights, (stb::send(weights, 0, 17, words)))
  STB_CALL(write_logits, (stb::write_words(logits, head ? wanted : 17, words)))
}

namespace stb {
namespace sim {

void build() {
  Port<Word> to_echo = open_port<Word>("to_echo", 2);
  Port<Word> from_echo = open_port<Word>("from_echo", 2);
  const Unit unit("echo");
  echo(to_echo, from_echo);
}

// Buffers: tokens, weights_0, kv, logits, token. Scalars: n, pos, head.
void launch(void* const* buffers, const std::uint64_t* scalars) {
  Port<Word> from_echo = open_port<Word>("from_echo", 2);
  Port<Word> to_echo = open_port<Word>("to_echo", 2);
  Port<Word> words = open_port<Word>("words", 4);
  const Unit unit("control");
  control(static_cast<const Word*>(buffers[0]), static_cast<const Word*>(buffers[1]),
          static_cast<Word*>(buffers[3]), static_cast<Word*>(buffers[4]), static_cast<int>(scalars[1]),
          static_cast<int>(scalars[2]), from_echo, to_echo, words);
}

}  // namespace sim
}  // namespace stb
