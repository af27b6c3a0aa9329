// What attention keeps on chip for one run, and the records of a launch's own positions.
#pragma once

#include "stb/head.hpp"
#include "stb/score.hpp"

namespace stb {

constexpr int kScales = 16;  // heads whose scales share a word of a key record

// The scales of the keys, or the values, of all positions.
template <int KV_HEADS, int CONTEXT>
struct PositionScales {
  uint8_t m[KV_HEADS][CONTEXT];
  uint8_t e[KV_HEADS][CONTEXT];

  void take(const Word& word, int byte, int kv, int j) {
    m[kv][j] = byte_at(word, byte);
    e[kv][j] = byte_at(word, byte + 1);
  }
};

// What one run keeps on chip: the launch's own q, k and v, scores of all positions, sums of values. Rows are
// those of tokens, of each all heads of k and v.
template <typename SHAPE, int CHUNK, int CONTEXT>
struct AttentionMemory {
  enum : int { kRows = CHUNK * SHAPE::kKvHeads };
  RawHeads<CHUNK * SHAPE::kHeads, SHAPE::kInWords> raw;
  Heads<kRows, SHAPE::kShared, SHAPE::kWords> q;
  Heads<kRows, 1, SHAPE::kWords> key;
  Heads<kRows, 1, SHAPE::kWords> value;
  PositionScales<SHAPE::kKvHeads, CONTEXT> key_scale;
  PositionScales<SHAPE::kKvHeads, CONTEXT> value_scale;
  int32_t score[kRows][SHAPE::kShared][CONTEXT];
  int32_t top[kRows][SHAPE::kShared];
  uint8_t exponent[kRows];
  int64_t total[kRows][SHAPE::kShared];
  uint32_t low[kRows][SHAPE::kShared][SHAPE::kBytes];
  int32_t high[kRows][SHAPE::kShared][SHAPE::kBytes];
};

// The memories behind it: the heads that share one of k and v are worked on at once, and so are all elements
// of a head.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void lay_out(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory) {
  STB_INLINE
  static_cast<void>(memory);  // pragmas are no use of it
  STB_BIND(memory.raw.words, uram)
  STB_PARTITION(memory.q.words, 2)
  STB_PARTITION(memory.q.words, 3)
  STB_BIND(memory.q.words, lutram)
  STB_PARTITION(memory.q.m, 2)
  STB_PARTITION(memory.q.e, 2)
  STB_PARTITION(memory.key.words, 3)
  STB_BIND(memory.key.words, bram)
  STB_PARTITION(memory.value.words, 3)
  STB_BIND(memory.value.words, bram)
  STB_PARTITION(memory.key_scale.m, 1)
  STB_BIND(memory.key_scale.m, bram)
  STB_PARTITION(memory.key_scale.e, 1)
  STB_BIND(memory.key_scale.e, bram)
  STB_PARTITION(memory.value_scale.m, 1)
  STB_BIND(memory.value_scale.m, bram)
  STB_PARTITION(memory.value_scale.e, 1)
  STB_BIND(memory.value_scale.e, bram)
  STB_PARTITION(memory.score, 2)
  STB_BIND(memory.score, uram)
  STB_PARTITION(memory.top, 2)
  STB_PARTITION(memory.total, 2)
  STB_PARTITION(memory.low, 2)
  STB_PARTITION(memory.low, 3)
  STB_BIND(memory.low, lutram)
  STB_PARTITION(memory.high, 2)
  STB_PARTITION(memory.high, 3)
  STB_BIND(memory.high, lutram)
}

// The scales of the launch's own keys and values join those of the older positions.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void keep_scales(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos) {
  int kv = 0;
  int j = pos;
  STB_ENTER(kMoveDepth)
keep_scales:
  for (int row = 0; row < tokens * SHAPE::kKvHeads; ++row) {
    STB_PIPELINE(1)
    STB_TICK(1)
    memory.key_scale.m[kv][j] = memory.key.m[row][0];
    memory.key_scale.e[kv][j] = memory.key.e[row][0];
    memory.value_scale.m[kv][j] = memory.value.m[row][0];
    memory.value_scale.e[kv][j] = memory.value.e[row][0];
    const bool last = kv == SHAPE::kKvHeads - 1;
    kv = last ? 0 : kv + 1;
    j = last ? j + 1 : j;
  }
}

// The launch's q, then its k, then its v.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void take_in(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos, Port<Word>& q,
                    Port<Word>& k, Port<Word>& v) {
  take_heads(memory.raw, tokens * SHAPE::kHeads, q);
  quantize_heads(memory.raw, tokens * SHAPE::kHeads, memory.q);
  take_heads(memory.raw, tokens * SHAPE::kKvHeads, k);
  quantize_heads(memory.raw, tokens * SHAPE::kKvHeads, memory.key);
  take_heads(memory.raw, tokens * SHAPE::kKvHeads, v);
  quantize_heads(memory.raw, tokens * SHAPE::kKvHeads, memory.value);
  keep_scales(memory, tokens, pos);
}

// A step through records: of each position the words of its keys, those of its scales, those of its values.
// `row` is that of the head, or of the token's first head.
struct RecordOut {
  enum Part { kKeys, kScaleWords, kValues };
  Part part;
  int row;
  int kv;
  int word;
};

template <typename SHAPE>
inline RecordOut step_after(const RecordOut& step) {
  if (step.part == RecordOut::kScaleWords) {
    const bool last = step.word == SHAPE::kScaleWords - 1;
    return last ? RecordOut{RecordOut::kValues, step.row, 0, 0}
                : RecordOut{step.part, step.row, 0, step.word + 1};
  }
  if (step.word < SHAPE::kWords - 1) return RecordOut{step.part, step.row, step.kv, step.word + 1};
  if (step.kv < SHAPE::kKvHeads - 1) return RecordOut{step.part, step.row + 1, step.kv + 1, 0};
  if (step.part == RecordOut::kKeys) {
    return RecordOut{RecordOut::kScaleWords, step.row - (SHAPE::kKvHeads - 1), 0, 0};
  }
  return RecordOut{RecordOut::kKeys, step.row + 1, 0, 0};
}

// The records of the launch's own positions go to memory, key record before value record.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void give_records(const AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens,
                         Port<Word>& kv_k_out, Port<Word>& kv_v_out) {
  Word scales[SHAPE::kScaleWords];
  STB_PARTITION(scales, 1)
  RecordOut step = {RecordOut::kKeys, 0, 0, 0};
  STB_ENTER(kMoveDepth)
give_words:
  for (int i = 0; i < tokens * (2 * SHAPE::kKvHeads * SHAPE::kWords + SHAPE::kScaleWords); ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    if (step.part == RecordOut::kKeys) {
      Word word = step.kv % kScales == 0 && step.word == 0 ? zero_word() : scales[step.kv / kScales];
      set_byte(word, 4 * (step.kv % kScales), memory.key.m[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 1, memory.key.e[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 2, memory.value.m[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 3, memory.value.e[step.row][0]);
      scales[step.kv / kScales] = word;
      kv_k_out.write(memory.key.words[step.row][0][step.word]);
    } else if (step.part == RecordOut::kScaleWords) {
      kv_k_out.write(scales[step.word]);
    } else {
      kv_v_out.write(memory.value.words[step.row][0][step.word]);
    }
    step = step_after<SHAPE>(step);
  }
}

}  // namespace stb
