// A lane's loop through its tiles of one op: a word of weights, a scaling of four rows, or four rows of a
// result a cycle.
#pragma once

#include "stb/tile.hpp"

namespace stb {

constexpr int kLaneDepth =
    32;  // products, sums, scales, rounding; that of the lane proven in RTL is 33 to 48

// One token's result: four rows of it in each of four steps.
template <int PASSES, int TOKEN_LANES, int ACTS>
inline void give_rows(const LaneStep& step, const LinearOp& op, const Word (&acts)[TOKEN_LANES][ACTS],
                      const TileSums<PASSES, TOKEN_LANES>& sums, Word& result, Port<Word>& out) {
  const int l = step.token % TOKEN_LANES;
  const int pass = step.token / TOKEN_LANES;
  add_result(result, sums.rows[pass * kQuad + step.part][l], op.shift - exponent_of(acts[l][pass]));
  if (step.part == kQuad - 1) out.write(result);
}

// `tiles` tiles of an op; acts[t % TOKEN_LANES][g * passes + t / TOKEN_LANES] is group g of token t. The text
// that synthesis gets; also what the strict mode runs.
template <int CHUNK, int TOKEN_LANES, int ACTS>
void multiply_tiles_by_words(Port<Word>& weights, const LinearOp& op, int tiles,
                             const Word (&acts)[TOKEN_LANES][ACTS], Port<Word>& out) {
  const int passes = (op.tokens + TOKEN_LANES - 1) / TOKEN_LANES;
  TileSums<ceil_div(CHUNK, TOKEN_LANES), TOKEN_LANES> sums = {};
  STB_PARTITION(sums.x, 2)
  STB_PARTITION(sums.x, 3)
  STB_DISTANCE(sums.x, kQuad)
  STB_PARTITION(sums.sa, 2)
  STB_DISTANCE(sums.sa, kQuad)
  STB_PARTITION(sums.rows, 2)
  STB_PARTITION(sums.rows, 3)
  STB_DISTANCE(sums.rows, kQuad)
  EndedGroup<TOKEN_LANES> now = {};
  EndedGroup<TOKEN_LANES> ended = {};
  Scales scales = raw_scales();
  Word quad[kQuad];
  STB_PARTITION(quad, 1)
  Word result = zero_word();
  STB_ENTER(kLaneDepth)
lane_steps:
  for (LaneStep step = first_step(op); step.tile < tiles; step = step_after(step, op, passes)) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    if (ended.left > 0) {
      scale_rows(ended, sums);
    } else if (step.kind == LaneStep::kResult) {
      give_rows(step, op, acts, sums, result, out);
    }
    if (step.kind == LaneStep::kHeader) {
      scales = unpack_header(weights.read(), op);
    } else if (step.kind == LaneStep::kWord) {
      const Word word = step.pass == 0 ? weights.read() : quad[step.part];
      quad[step.part] = word;
      add_word(word, step, op.unsigned_act, acts, sums, now);
      if (ends_group(step, op)) end_group(step, scales, now, ended);
    }
  }
}

}  // namespace stb

// On an x86 with AVX2 the emulator multiplies whole weight groups at a time, with the same results.
#if !defined(STB_SYNTHESIS) && !defined(STB_PLAIN_TILE) && defined(__AVX2__) && defined(__F16C__)
#include "../../sim/tile_avx2.hpp"
#else
namespace stb {

template <int CHUNK, int TOKEN_LANES, int ACTS>
void multiply_tiles(Port<Word>& weights, const LinearOp& op, int tiles, const Word (&acts)[TOKEN_LANES][ACTS],
                    Port<Word>& out) {
  STB_INLINE
  multiply_tiles_by_words<CHUNK, TOKEN_LANES>(weights, op, tiles, acts, out);
}

}  // namespace stb
#endif
