// The steps of a lane through its tiles of one op, one a cycle: counters, no arithmetic on weights.
//
// A tile is, per weight group, a header (none in raw ops) and then quads of four words; a quad is used once
// for each pass of TOKEN_LANES tokens, of which the first reads it. Then come four steps in which the last
// sums are finished, and four for each token's result.
#pragma once

#include "stb/descriptor.hpp"

namespace stb {

constexpr int kQuad = 4;  // words with 32 columns of one plane; also the parts in which rows are scaled

struct LaneStep {
  enum Kind { kHeader, kWord, kFinish, kResult };
  Kind kind;
  int tile;
  int group;  // the first activation group of the weight group
  int plane;
  int quad;  // of the weight group's plane
  int pass;
  int part;  // word of the quad, or quarter of the rows
  int act;   // group + quad, times the passes, plus the pass: where the activations lie
  int token;
};

// The first step of a weight group.
inline LaneStep::Kind opening(const LinearOp& op) { return op.raw ? LaneStep::kWord : LaneStep::kHeader; }

inline LaneStep first_step(const LinearOp& op) { return LaneStep{opening(op), 0, 0, 0, 0, 0, 0, 0, 0}; }

// Behind the last word of a quad: the next pass, quad, plane, weight group, or the end of the tile.
inline LaneStep after_quad(const LaneStep& step, const LinearOp& op, int passes) {
  LaneStep next = step;
  next.part = 0;
  ++next.act;
  if (step.pass + 1 < passes) {
    ++next.pass;
    return next;
  }
  next.pass = 0;
  if (step.quad + 1 < op.weight_group) {
    ++next.quad;
    return next;
  }
  next.quad = 0;
  if (step.plane + 1 < op.planes) {
    ++next.plane;
    next.act = step.act + 1 - op.weight_group * passes;
    return next;
  }
  next.plane = 0;
  next.group = step.group + op.weight_group;
  next.kind = next.group < op.groups ? opening(op) : LaneStep::kFinish;
  return next;
}

inline LaneStep step_after(const LaneStep& step, const LinearOp& op, int passes) {
  LaneStep next = step;
  if (step.kind == LaneStep::kHeader) {
    next.kind = LaneStep::kWord;
    return next;
  }
  if (step.part + 1 < kQuad) {
    ++next.part;
    return next;
  }
  if (step.kind == LaneStep::kWord) return after_quad(step, op, passes);
  next.part = 0;
  next.kind = LaneStep::kResult;
  if (step.kind == LaneStep::kFinish) return next;
  if (step.token + 1 < op.tokens) {
    ++next.token;
    return next;
  }
  LaneStep tile = first_step(op);
  tile.tile = step.tile + 1;
  return tile;
}

// The step ends a weight group for its pass.
inline bool ends_group(const LaneStep& step, const LinearOp& op) {
  return step.kind == LaneStep::kWord && step.part == kQuad - 1 && step.quad == op.weight_group - 1 &&
         step.plane == op.planes - 1;
}

}  // namespace stb
