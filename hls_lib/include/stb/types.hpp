// The values that streams carry, 512-bit words and 64-bit commands, and integers of exact widths.
//
// Emulation: plain types, so that g++ keeps them in vector registers. Synthesis (v++ defines
// __SYNTHESIS__; a lint may define STB_SYNTHESIS alone): ap_uint. Kernels use the free functions below
// and are the same text in both worlds.
#pragma once

#include <cstdint>

#if defined(__SYNTHESIS__) && !defined(STB_SYNTHESIS)
#define STB_SYNTHESIS 1
#endif

#ifdef STB_SYNTHESIS
#include <ap_int.h>
#else
#include <type_traits>
#endif

// Loops are labelled for the reports of v++; g++ sees labels that nothing jumps to.
#pragma GCC diagnostic ignored "-Wunused-label"

namespace stb {

constexpr int kWordBytes = 64;
constexpr int kLanes = 16;     // int32 lanes of a word
constexpr int kGroup = 32;     // activations of one quantised group
constexpr int kTileRows = 16;  // rows of one tile of a weight matrix

#ifdef STB_SYNTHESIS

using Word = ap_uint<512>;
using Cmd = ap_uint<64>;
using Activation = ap_uint<288>;  // the part of an activation word that a lane stores

// A signed number of BITS bits; what does not fit is a mistake of its text.
template <int BITS>
using Int = ap_int<BITS>;

// A factor of a product of BITS bits.
template <int BITS, int FROM>
inline const ap_int<FROM>& widened(const ap_int<FROM>& value) {
  return value;
}

inline Activation activation_of(const Word& word) { return word.range(287, 0); }
inline std::int32_t lane(const Activation& act, int i) {
  return static_cast<std::int32_t>(act.range(32 * i + 31, 32 * i).to_int());
}
inline std::uint8_t byte_at(const Activation& act, int i) {
  return static_cast<std::uint8_t>(act.range(8 * i + 7, 8 * i).to_uint());
}

inline Word zero_word() { return Word(0); }
inline std::int32_t lane(const Word& word, int i) {
  return static_cast<std::int32_t>(word.range(32 * i + 31, 32 * i).to_int());
}
inline void set_lane(Word& word, int i, std::int32_t value) {
  word.range(32 * i + 31, 32 * i) = ap_uint<32>(static_cast<std::uint32_t>(value));
}
inline std::uint8_t byte_at(const Word& word, int i) {
  return static_cast<std::uint8_t>(word.range(8 * i + 7, 8 * i).to_uint());
}
inline void set_byte(Word& word, int i, std::uint8_t value) {
  word.range(8 * i + 7, 8 * i) = ap_uint<8>(value);
}
inline std::uint16_t half_at(const Word& word, int i) {
  return static_cast<std::uint16_t>(word.range(16 * i + 15, 16 * i).to_uint());
}
inline std::uint64_t cmd_bits(const Cmd& cmd) { return cmd.to_uint64(); }

#else

struct alignas(kWordBytes) Word {
  unsigned char bytes[kWordBytes];
};
using Cmd = std::uint64_t;
using Activation = Word;

template <int BITS>
using Int = std::conditional_t<(BITS <= 32), std::int32_t, std::int64_t>;

template <int BITS, typename T>
inline Int<BITS> widened(T value) {
  return value;
}

inline const Activation& activation_of(const Word& word) { return word; }

typedef std::int32_t __attribute__((may_alias)) AliasedInt32;
typedef std::uint16_t __attribute__((may_alias)) AliasedHalf;

inline Word zero_word() { return Word{}; }
inline std::int32_t lane(const Word& word, int i) {
  return reinterpret_cast<const AliasedInt32*>(word.bytes)[i];
}
inline void set_lane(Word& word, int i, std::int32_t value) {
  reinterpret_cast<AliasedInt32*>(word.bytes)[i] = value;
}
inline std::uint8_t byte_at(const Word& word, int i) { return word.bytes[i]; }
inline void set_byte(Word& word, int i, std::uint8_t value) { word.bytes[i] = value; }
inline std::uint16_t half_at(const Word& word, int i) {
  return reinterpret_cast<const AliasedHalf*>(word.bytes)[i];
}
inline std::uint64_t cmd_bits(Cmd cmd) { return cmd; }

#endif

// A command: tokens of the launch (bits 0-15), logits wanted (bit 16), first position (bits 32-63).
inline Cmd make_cmd(int tokens, bool head, std::uint32_t pos) {
  return Cmd((static_cast<std::uint64_t>(pos) << 32) | (static_cast<std::uint64_t>(head ? 1 : 0) << 16) |
             static_cast<std::uint64_t>(tokens & 0xffff));
}
inline int cmd_tokens(const Cmd& cmd) { return static_cast<int>(cmd_bits(cmd) & 0xffff); }
inline bool cmd_head(const Cmd& cmd) { return ((cmd_bits(cmd) >> 16) & 1) != 0; }
inline std::uint32_t cmd_pos(const Cmd& cmd) { return static_cast<std::uint32_t>(cmd_bits(cmd) >> 32); }

}  // namespace stb
