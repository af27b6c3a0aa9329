// How processes walk through a launch: token counts by role, and int32 elements in stream words.
#pragma once

#include "stb/math.hpp"
#include "stb/stream.hpp"

namespace stb {

// Tokens that a process sees in a launch: all of them (role 0), or the last one if asked for (role 1).
template <int ROLE>
inline int role_tokens(const Cmd& cmd) {
  static_assert(ROLE == 0 || ROLE == 1, "a role is 0 (every token) or 1 (the head token)");
  return ROLE == 0 ? cmd_tokens(cmd) : (cmd_head(cmd) ? 1 : 0);
}

}  // namespace stb
