// The values of stb/types.hpp for the lint: a word is one number, so that an access to it is one access.
#pragma once

#include <cstdint>

namespace stb {

constexpr int kWordBytes = 64;
constexpr int kLanes = 16;
constexpr int kGroup = 32;
constexpr int kTileRows = 16;

using Word = unsigned _BitInt(512);
using Cmd = std::uint64_t;
using Activation = unsigned _BitInt(288);

template <bool WIDE>
struct Plain {
  using type = std::int32_t;
};
template <>
struct Plain<true> {
  using type = std::int64_t;
};
template <int BITS>
using Int = typename Plain<(BITS > 32)>::type;
template <int BITS, typename T>
Int<BITS> widened(T value);

Activation activation_of(const Word& word);
std::int32_t lane(const Activation& act, int i);
std::uint8_t byte_at(const Activation& act, int i);

Word zero_word();
std::int32_t lane(const Word& word, int i);
void set_lane(Word& word, int i, std::int32_t value);
std::uint8_t byte_at(const Word& word, int i);
void set_byte(Word& word, int i, std::uint8_t value);
std::uint16_t half_at(const Word& word, int i);
std::uint64_t cmd_bits(Cmd cmd);
Cmd make_cmd(int tokens, bool head, std::uint32_t pos);
int cmd_tokens(const Cmd& cmd);
bool cmd_head(const Cmd& cmd);
std::uint32_t cmd_pos(const Cmd& cmd);

}  // namespace stb
