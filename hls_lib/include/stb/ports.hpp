// A range of a pack of ports, chosen at run time: ports FIRST, FIRST + STRIDE, ... (COUNT of them).
//
// A process lists its streams by name, so a pack holds all of them; a range touches no other.
#pragma once

#include "stb/stream.hpp"

namespace stb {

template <int FIRST, int COUNT, int STRIDE = 1>
struct PortRange {
  template <typename T, typename... Rest>
  static Word read(int index, Port<T>&, Rest&... rest) {
    STB_INLINE
    return PortRange<FIRST - 1, COUNT, STRIDE>::read(index, rest...);
  }
  template <typename T, typename... Rest>
  static void write(int index, const Word& word, Port<T>&, Rest&... rest) {
    STB_INLINE
    PortRange<FIRST - 1, COUNT, STRIDE>::write(index, word, rest...);
  }
};

template <int COUNT, int STRIDE>
struct PortRange<0, COUNT, STRIDE> {
  using Next = PortRange<STRIDE - 1, COUNT - 1, STRIDE>;

  template <typename... Rest>
  static Word read(int index, Port<Word>& first, Rest&... rest) {
    STB_INLINE
    if (index == 0) return first.read();
    return Next::read(index - 1, rest...);
  }
  template <typename... Rest>
  static void write(int index, const Word& word, Port<Word>& first, Rest&... rest) {
    STB_INLINE
    if (index == 0) {
      first.write(word);
    } else {
      Next::write(index - 1, word, rest...);
    }
  }
};

// The end of a range, reached whatever ports are left.
struct NoPorts {
  template <typename... Rest>
  static Word read(int, Rest&...) {
    return zero_word();
  }
  template <typename... Rest>
  static void write(int, const Word&, Rest&...) {}
};

template <int FIRST, int STRIDE>
struct PortRange<FIRST, 0, STRIDE> : NoPorts {};
template <int STRIDE>
struct PortRange<0, 0, STRIDE> : NoPorts {};

// Of LEFT ports the range (FIRST, COUNT, STRIDE) is moved behind the others, each with the word, until only
// these pairs are left to be written at once.
template <int LEFT, int FIRST, int COUNT, int STRIDE>
struct WriteRange {
  template <typename... Rest>
  static void write(const Word& word, Port<Word>&, Rest&... rest) {
    STB_INLINE
    WriteRange<LEFT - 1, FIRST - 1, COUNT, STRIDE>::write(word, rest...);
  }
};

template <int LEFT, int COUNT, int STRIDE>
struct WriteRange<LEFT, 0, COUNT, STRIDE> {
  template <typename... Rest>
  static void write(const Word& word, Port<Word>& first, Rest&... rest) {
    STB_INLINE
    WriteRange<LEFT - 1, COUNT == 1 ? -1 : STRIDE - 1, COUNT - 1, STRIDE>::write(word, rest..., first, word);
  }
};

template <int FIRST, int COUNT, int STRIDE>
struct WriteRange<0, FIRST, COUNT, STRIDE> {
  template <typename... Pairs>
  static void write(const Word&, Pairs&... pairs) {
    STB_INLINE
    write_all(pairs...);
  }
};

// One word to every port of a range, in one cycle.
template <int FIRST, int COUNT, int STRIDE, typename... Ports>
void write_each(const Word& word, Ports&... ports) {
  STB_INLINE
  WriteRange<sizeof...(Ports), FIRST, COUNT, STRIDE>::write(word, ports...);
}

}  // namespace stb
