// The sequencer's program: descriptors of linear ops as they are, those of keys and values for the launch.
#pragma once

#include "stb/descriptor.hpp"
#include "stb/kv_blocks.hpp"

namespace stb {

// A program word on its way out: the rows of it that are still to be sent.
struct SentOp {
  Word word;
  int rows;
};

// The op of a program word in a launch of n tokens from position pos: no rows if it does not run. A linear op
// has a word for each batch of BATCH tokens.
template <int BATCH, int CHANNELS>
inline SentOp sent_op(const Word& word, int n, int pos, bool head) {
  SentOp op = {word, n};
  const int kind = lane(word, kKindLane);
  const bool head_only = lane(word, kHeadOnlyLane) == 1;
  if (!is_linear(word)) return SentOp{word, 1};
  if (!is_raw(kind)) {
    op.rows = !head_only ? min_of(n - lane(word, kFirstTokenLane), BATCH) : head ? 1 : 0;
    return op;
  }
  const int window = lane(word, kWindowLane);
  const KvBlocks kv = blocks_of(pos, n, window == 0 ? WholeContext::at(0) : window);
  op.rows = kv.blocks > 0 ? n * lane(word, 9) : 0;
  set_lane(op.word, 9, 0);
  set_lane(op.word, kWindowLane, 0);
  if (kind == kValueKind) {
    set_lane(op.word, 1, kv.blocks);
    return op;
  }
  const int from = lane(word, 5) + 2 * kv.first;
  set_lane(op.word, 4, 2 * kv.blocks);
  set_lane(op.word, 5, rest_by<CHANNELS>(from));
  return op;
}

}  // namespace stb
