// Weights on their way to a lane: a deep FIFO that memory fills while the lane waits for activations.
#pragma once

#include "stb/stream.hpp"

namespace stb {

// The first word of a launch says how many follow: so the process in front of the FIFO knows its launch's.
inline Word count_word(std::int64_t words) {
  Word word = zero_word();
  set_lane(word, 0, static_cast<std::int32_t>(words));
  return word;
}

// The words of one launch, of which the first does not go on.
template <typename T>
void prefetch(Port<T>& in, Port<T>& out) {
  const int words = lane(in.read(), 0);
  STB_ENTER(kMoveDepth)
prefetch_words:
  for (int i = 0; i < words; ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    out.write(in.read());
  }
}

}  // namespace stb

// STB_PREFETCH(name, source, depth, kind): the stream `name` has the words of `source`, which a FIFO of that
// depth in that kind of memory holds. In emulation it is `source` itself, which is as much deeper.
#if defined(STB_SYNTHESIS)
#define STB_PREFETCH(name, source, fifo_depth, kind)                   \
  STB_FIFO(stb::Word, name, fifo_depth)                                \
  STB_PRAGMA(HLS BIND_STORAGE variable = name type = fifo impl = kind) \
  STB_CALL(move_##name, (stb::prefetch(source, name)))
#else
#define STB_PREFETCH(name, source, fifo_depth, kind) ::stb::Port<::stb::Word> name = source;
#endif
