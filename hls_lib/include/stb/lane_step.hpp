// The steps of a lane through its tiles of one op, one a cycle: counters, no arithmetic on weights.
//
// A tile is, per weight group, a header (none in raw ops) and then the group's words, quads of four for each
// plane; they are used once for each pass of TOKEN_LANES tokens, of which the first reads them. Then come the
// steps in which the last sums are finished, and four for each token's result.
#pragma once

#include "stb/descriptor.hpp"

namespace stb {

constexpr int kQuad = 4;         // words with 32 columns of one plane; also the quarters of a tile's rows
constexpr int kGroupWords = 32;  // of a weight group at most: 128 columns of 8 bits

struct LaneStep {
  enum Kind { kHeader, kWord, kFinish, kResult };
  Kind kind;
  int tile;
  int group;  // the first activation group of the weight group
  int pass;
  int plane;
  int quad;        // of the weight group's plane
  int part;        // word of the quad, finishing step, or quarter of the rows
  int word;        // of the weight group
  int act;         // where the activations lie: group + quad, times the passes, plus the pass
  int token_lane;  // of the result's token
  int token;
};

// The first step of a weight group.
inline LaneStep::Kind opening(const LinearOp& op) { return op.raw ? LaneStep::kWord : LaneStep::kHeader; }

inline LaneStep first_step(const LinearOp& op) { return LaneStep{opening(op), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}; }

// Behind the last word of a quad: the next quad, plane, pass, weight group, or the end of the tile.
inline LaneStep after_quad(const LaneStep& step, const LinearOp& op, int passes) {
  LaneStep next = step;
  const int back = (op.weight_group - 1) * passes;
  next.part = 0;
  ++next.word;
  if (step.quad + 1 < op.weight_group) {
    ++next.quad;
    next.act = step.act + passes;
    return next;
  }
  next.quad = 0;
  if (step.plane + 1 < op.planes) {
    ++next.plane;
    next.act = step.act - back;
    return next;
  }
  next.plane = 0;
  next.word = 0;
  if (step.pass + 1 < passes) {
    ++next.pass;
    next.act = step.act - back + 1;
    return next;
  }
  next.pass = 0;
  ++next.act;
  next.group = step.group + op.weight_group;
  next.kind = next.group < op.groups ? opening(op) : LaneStep::kFinish;
  return next;
}

// The next token's result; its words of activations, which hold E, are the first of each pass.
inline LaneStep after_result(const LaneStep& step, int token_lanes) {
  LaneStep next = step;
  const bool round = step.token_lane + 1 == token_lanes;
  ++next.token;
  next.token_lane = round ? 0 : step.token_lane + 1;
  next.act = round ? step.act + 1 : step.act;
  next.pass = round ? step.pass + 1 : step.pass;
  return next;
}

// `finish` steps end a tile.
template <int TOKEN_LANES>
inline LaneStep step_after(const LaneStep& step, const LinearOp& op, int passes, int finish) {
  LaneStep next = step;
  if (step.kind == LaneStep::kHeader) {
    next.kind = LaneStep::kWord;
    return next;
  }
  if (step.part + 1 < (step.kind == LaneStep::kFinish ? finish : kQuad)) {
    ++next.part;
    if (step.kind == LaneStep::kWord) ++next.word;
    return next;
  }
  if (step.kind == LaneStep::kWord) return after_quad(step, op, passes);
  next.part = 0;
  next.kind = LaneStep::kResult;
  if (step.kind == LaneStep::kFinish) {
    next.act = 0;
    return next;
  }
  if (step.token + 1 < op.tokens) return after_result(next, TOKEN_LANES);
  LaneStep tile = first_step(op);
  tile.tile = step.tile + 1;
  return tile;
}

// The step ends a quad.
inline bool ends_quad(const LaneStep& step) { return step.part == kQuad - 1; }

// A step that ends a quad ends the weight group for its pass.
inline bool ends_group(const LaneStep& step, const LinearOp& op) {
  return step.quad == op.weight_group - 1 && step.plane == op.planes - 1;
}

}  // namespace stb
