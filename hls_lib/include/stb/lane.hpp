// A lane's loop through its tiles of one op, a step a cycle: a word of weights while the sums of the last
// quad and weight group are scaled, or four rows of a result.
#pragma once

#include "stb/tile.hpp"

namespace stb {

// Rows that D and M meet in a cycle, if no weight group has fewer than MIN_WORDS words.
template <int MIN_WORDS>
constexpr int rows_at_once() {
  static_assert(MIN_WORDS >= kQuad && (MIN_WORDS & (MIN_WORDS - 1)) == 0, "a group has 4, 8, 16 or 32 words");
  return MIN_WORDS < kTileRows ? kTileRows / MIN_WORDS : 1;
}

// One token's result: four rows of it in each of four steps.
template <int PASSES, int TOKEN_LANES>
inline void give_rows(const LaneStep& step, const LinearOp& op, const Activation (&acts)[TOKEN_LANES],
                      const TileSums<PASSES, TOKEN_LANES>& sums, Word& result, Port<Word>& out) {
  const int l = step.token_lane;
  add_result(result, sums.rows[step.pass * kQuad + step.part][l], op.shift - exponent_of(acts[l]));
  if (step.part == kQuad - 1) out.write(result);
}

// `tiles` tiles of an op; acts[t % TOKEN_LANES][g * passes + t / TOKEN_LANES] is group g of token t. The text
// that synthesis gets; also what the strict mode runs. The last FABRIC token lanes make their dots in LUTs.
template <int CHUNK, int TOKEN_LANES, int AT_ONCE, int FABRIC, int ACTS>
void multiply_tiles_by_words(Port<Word>& weights, const LinearOp& op, int tiles,
                             const Activation (&acts)[TOKEN_LANES][ACTS], Port<Word>& out) {
  const int passes = (op.tokens + TOKEN_LANES - 1) / TOKEN_LANES;
  TileSums<ceil_div(CHUNK, TOKEN_LANES), TOKEN_LANES> sums = {};
  STB_PARTITION(sums.pairs, 0)
  STB_PARTITION(sums.x, 2)
  STB_PARTITION(sums.x, 3)
  STB_BIND(sums.x, lutram)
  STB_DISTANCE(sums.x, kQuad)
  STB_PARTITION(sums.rows, 2)
  STB_PARTITION(sums.rows, 3)
  STB_DISTANCE(sums.rows, kQuad)
  EndedQuad<TOKEN_LANES> quad = {};
  STB_PARTITION(quad.pairs, 0)
  EndedGroup<TOKEN_LANES> group = {};
  STB_PARTITION(group.x, 0)
  Word words[kGroupWords];
  STB_BIND(words, lutram)
  STB_DISTANCE(words, kQuad)
  Word header = zero_word();
  Word result = zero_word();
  const int finish = op.raw ? kQuad : kTileRows / AT_ONCE;
  STB_ENTER(kLaneDepth)
lane_steps:
  for (LaneStep step = first_step(op); step.tile < tiles;
       step = step_after<TOKEN_LANES>(step, op, passes, finish)) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    Activation act[TOKEN_LANES];
    STB_PARTITION(act, 1)
  step_acts:
    for (int l = 0; l < TOKEN_LANES; ++l) {
      STB_UNROLL
      act[l] = acts[l][step.act];
    }
    const bool raw_rows = op.raw && quad.left > 0 && quad.last;
    if (quad.left > 0) scale_dots<FABRIC>(quad, sums, group);
    if (raw_rows) {
      add_raw_rows(quad, group, sums);
    } else if (group.left > 0) {
      scale_rows<AT_ONCE>(op, group, sums);
    } else if (step.kind == LaneStep::kResult) {
      give_rows(step, op, act, sums, result, out);
    }
    if (step.kind == LaneStep::kHeader) {
      header = weights.read();
    } else if (step.kind == LaneStep::kWord) {
      const Word word = step.pass == 0 ? weights.read() : words[step.word];
      if (step.pass == 0) words[step.word] = word;
      add_word<FABRIC>(word, step, op.unsigned_act, act, sums);
      if (ends_quad(step)) end_quad(step, op, act, sums, quad);
      if (!op.raw && ends_quad(step) && ends_group(step, op)) end_group<AT_ONCE>(step, header, sums, group);
    }
  }
}

}  // namespace stb

// On an x86 with AVX2 the emulator multiplies whole weight groups at a time, with the same results.
#if !defined(STB_SYNTHESIS) && !defined(STB_PLAIN_TILE) && defined(__AVX2__) && defined(__F16C__)
#include "../../sim/tile_avx2.hpp"
#else
namespace stb {

template <int CHUNK, int TOKEN_LANES, int AT_ONCE, int FABRIC, int ACTS>
void multiply_tiles(Port<Word>& weights, const LinearOp& op, int tiles,
                    const Activation (&acts)[TOKEN_LANES][ACTS], Port<Word>& out) {
  STB_INLINE
  multiply_tiles_by_words<CHUNK, TOKEN_LANES, AT_ONCE, FABRIC>(weights, op, tiles, acts, out);
}

}  // namespace stb
#endif
