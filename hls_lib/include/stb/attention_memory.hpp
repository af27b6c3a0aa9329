// What attention keeps on chip for one run, and the records of a launch's own positions.
#pragma once

#include "stb/head.hpp"
#include "stb/softmax.hpp"

namespace stb {

constexpr int kScales = 16;  // heads whose scales share a word of a key record

// The scales of the keys, or the values, of all positions.
template <int KV_HEADS, int CONTEXT>
struct PositionScales {
  uint8_t m[KV_HEADS][CONTEXT];
  uint8_t e[KV_HEADS][CONTEXT];

  void set(int kv, int j, const Scale& scale) {
    m[kv][j] = static_cast<uint8_t>(scale.m);
    e[kv][j] = static_cast<uint8_t>(scale.e);
  }
  void take(const Word& word, int byte, int kv, int j) {
    m[kv][j] = byte_at(word, byte);
    e[kv][j] = byte_at(word, byte + 1);
  }
  void put(Word& word, int byte, int kv, int j) const {
    set_byte(word, byte, m[kv][j]);
    set_byte(word, byte + 1, e[kv][j]);
  }
};

// A step through records: position j, word group `slot` of its record, token t of the launch.
struct RecordStep {
  int j;
  int slot;
  int t;
};

// Slots below `heads` take a step for every token, the others one.
inline RecordStep step_after(const RecordStep& step, int heads, int slots, int tokens) {
  if (step.slot < heads && step.t < tokens - 1) return RecordStep{step.j, step.slot, step.t + 1};
  if (step.slot < slots - 1) return RecordStep{step.j, step.slot + 1, 0};
  return RecordStep{step.j + 1, 0, 0};
}

// What one run keeps on chip: the launch's own q, k and v, scores of all positions, sums of values.
template <typename SHAPE, int CHUNK, int CONTEXT>
struct AttentionMemory {
  int16_t q[CHUNK][SHAPE::kKvHeads][SHAPE::kShared][SHAPE::kBytes];
  Scale q_scale[CHUNK][SHAPE::kKvHeads][SHAPE::kShared];
  Word key[CHUNK][SHAPE::kKvHeads][SHAPE::kWords];
  Word value[CHUNK][SHAPE::kKvHeads][SHAPE::kWords];
  PositionScales<SHAPE::kKvHeads, CONTEXT> key_scale;
  PositionScales<SHAPE::kKvHeads, CONTEXT> value_scale;
  int32_t score[CHUNK][SHAPE::kKvHeads][SHAPE::kShared][CONTEXT];
  Total total[CHUNK][SHAPE::kKvHeads][SHAPE::kShared];
  SplitSums<SHAPE::kBytes> sums[CHUNK][SHAPE::kKvHeads][SHAPE::kShared];
};

// The launch's q, then its k, then its v.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void take_in(AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos, Port<Word>& q,
                    Port<Word>& k, Port<Word>& v) {
take_q:
  for (int i = 0; i < tokens * SHAPE::kHeads; ++i) {
    const int kv = i % SHAPE::kHeads / SHAPE::kShared;
    const int t = i / SHAPE::kHeads;
    const int g = i % SHAPE::kShared;
    Word head[SHAPE::kWords];
    memory.q_scale[t][kv][g] = read_head<SHAPE::kInWords>(q, head);
    unpack_head(head, memory.q[t][kv][g]);
  }
take_k:
  for (int i = 0; i < tokens * SHAPE::kKvHeads; ++i) {
    const int kv = i % SHAPE::kKvHeads;
    const int t = i / SHAPE::kKvHeads;
    memory.key_scale.set(kv, pos + t, read_head<SHAPE::kInWords>(k, memory.key[t][kv]));
  }
take_v:
  for (int i = 0; i < tokens * SHAPE::kKvHeads; ++i) {
    const int kv = i % SHAPE::kKvHeads;
    const int t = i / SHAPE::kKvHeads;
    memory.value_scale.set(kv, pos + t, read_head<SHAPE::kInWords>(v, memory.value[t][kv]));
  }
}

// The records of the launch's own positions go to memory, key record before value record.
template <typename SHAPE, int CHUNK, int CONTEXT>
inline void give_records(const AttentionMemory<SHAPE, CHUNK, CONTEXT>& memory, int tokens, int pos,
                         Port<Word>& kv_k_out, Port<Word>& kv_v_out) {
give_tokens:
  for (int t = 0; t < tokens; ++t) {
    Word scales[SHAPE::kScaleWords];
  clear_scales:
    for (int i = 0; i < SHAPE::kScaleWords; ++i) scales[i] = zero_word();
  give_keys:
    for (int kv = 0; kv < SHAPE::kKvHeads; ++kv) {
      write_n(kv_k_out, memory.key[t][kv], SHAPE::kWords);
      Word& word = scales[kv / kScales];
      memory.key_scale.put(word, 4 * (kv % kScales), kv, pos + t);
      memory.value_scale.put(word, 4 * (kv % kScales) + 2, kv, pos + t);
    }
    write_n(kv_k_out, scales, SHAPE::kScaleWords);
  give_values:
    for (int kv = 0; kv < SHAPE::kKvHeads; ++kv) write_n(kv_v_out, memory.value[t][kv], SHAPE::kWords);
  }
}

}  // namespace stb
