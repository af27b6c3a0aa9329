// How many stages pipelined loops have, for STB_ENTER.
//
// Modelled: a read, the cycles that Vitis HLS gives such operators at 250 to 300 MHz, a write. No report of
// Vitis has told them yet.
#pragma once

namespace stb {

constexpr int kMoveDepth = 3;       // words as they are, through a buffer at most
constexpr int kAddDepth = 5;        // one addition, saturated
constexpr int kTreeDepth = 8;       // 16 lanes to one
constexpr int kMultiplyDepth = 14;  // a product of 32 by 32 bits, or a wider one in steps, rounded
constexpr int kScaleDepth = 24;     // bit lengths, a table, a product, rounded

}  // namespace stb
