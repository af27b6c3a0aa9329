// How many stages pipelined loops have, for STB_ENTER.
//
// Those of the first part are the depths of the twins in rtl_lib/twins, which have these loops in
// SystemVerilog; stbuild/timing/twins.py says stage by stage what they are, and tests/rtl holds the two
// together. Those of the second part are modelled. No report of Vitis has told any of them yet.
#pragma once

namespace stb {

constexpr int kMoveDepth = 2;       // words as they are, through a buffer at most
constexpr int kAddDepth = 3;        // one addition, saturated
constexpr int kAddParamDepth = 5;   // a memory of parameters, one addition, saturated
constexpr int kMultiplyDepth = 8;   // a product of 32 by 32 bits, rounded
constexpr int kMapDepth = 12;       // a piece of a table, a product, a sum
constexpr int kRotaryDepth = 11;    // two products, rounded
constexpr int kQuantizeDepth = 27;  // the largest of a group, its scale, a product, rounded

constexpr int kNormTakeDepth = 7;     // magnitudes, the largest of a segment
constexpr int kNormSquareDepth = 13;  // squares, their sum of up to 62 bits
constexpr int kStepDepth = 2;         // a bit of a quotient or root
constexpr int kNormShiftDepth = 6;    // EPS, a bit length, a shift
constexpr int kNormGiveDepth = 18;    // a product, a shift by a variable distance, another product
constexpr int kReadDepth = 4;         // a request, a beat of the bus, a FIFO behind it
constexpr int kStoreDepth = 4;        // words out of a memory of URAM
constexpr int kPrepareDepth = 8;      // a vector's memory, the sum of 32 values
constexpr int kScoreDepth = 20;       // two products, a shift, the largest of a row
constexpr int kWeighDepth = 18;       // a power of two, a product, a memory of rows, a byte of a weight
constexpr int kValueDepth = 34;       // a reciprocal bit by bit, a product of 48 bits, a shift
constexpr int kLaneDepth = 34;        // a cascade of products, scales, the sums of a tile, rounding

constexpr int kMulParamDepth = 10;  // a memory of parameters, a product
constexpr int kPlanDepth = 12;      // blocks of a head, two products
constexpr int kTreeDepth = 8;       // 16 lanes to one
constexpr int kScaleDepth = 24;     // bit lengths, a table, a product, rounded

}  // namespace stb
