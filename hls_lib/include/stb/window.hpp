// Numbers that differ from run to run or from head to head, and the positions that a sliding window sees.
#pragma once

namespace stb {

// One number for each run, or for each head.
template <int... VALUES>
struct Numbers {
  static int at(int i) {
    static const int values[sizeof...(VALUES)] = {VALUES...};
    return values[i];
  }
};

// The same number for all.
template <int VALUE>
struct Always {
  static int at(int) { return VALUE; }
};

// A window that hides nothing: the context is at most 32,768.
using WholeContext = Always<32768>;

// The first of the `window` positions that the query at `position` sees; the last is its own.
constexpr int first_seen(int position, int window) { return position >= window ? position + 1 - window : 0; }

}  // namespace stb
