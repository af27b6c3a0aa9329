// What the model cannot go on with, as a sentence for the person at the other end.
#pragma once

#include <cstdio>
#include <stdexcept>

namespace stb {
namespace xrt_model {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Writes the sentence where the runtime looks for it: a line of standard error that begins so.
inline void tell(const char* sentence) {
  std::fprintf(stderr, "stbuild-model: %s\n", sentence);
  std::fflush(stderr);
}

}  // namespace xrt_model
}  // namespace stb
