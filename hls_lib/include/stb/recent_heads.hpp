// The launch's heads and those of the recent positions as attention keeps them on chip, and their records.
#pragma once

#include "stb/attention_memory.hpp"
#include "stb/kv_blocks.hpp"

namespace stb {

// What one run keeps on chip: the launch's q, k and v, and keys and values of recent positions. A row of q is
// a token's head of k and v; keys and values have a row for each head of each recent position. The scales are
// those of a key record.
template <typename SHAPE, int CHUNK>
struct RecentHeads {
  enum : int { kRecents = kOldRecents + CHUNK };
  RawHeads<CHUNK * SHAPE::kHeads, SHAPE::kInWords> raw;
  Heads<CHUNK * SHAPE::kKvHeads, SHAPE::kShared, SHAPE::kWords> q;
  Heads<kRecents * SHAPE::kKvHeads, 1, SHAPE::kWords> key;
  Heads<kRecents * SHAPE::kKvHeads, 1, SHAPE::kWords> value;
  Word scales[kRecents][SHAPE::kScaleWords];
};

template <typename SHAPE, int CHUNK>
inline void lay_out(RecentHeads<SHAPE, CHUNK>& heads) {
  STB_INLINE
  static_cast<void>(heads);  // pragmas are no use of it
  STB_BIND(heads.raw.words, uram)
  STB_BIND(heads.q.words, bram)
  STB_BIND(heads.key.words, bram)
  STB_BIND(heads.value.words, bram)
  STB_BIND(heads.scales, bram)
}

// The launch's q, then its k, then its v; keys and values behind those of `recent_old` positions.
template <typename SHAPE, int CHUNK>
inline void take_launch(RecentHeads<SHAPE, CHUNK>& heads, int tokens, int recent_old, Port<Word>& q,
                        Port<Word>& k, Port<Word>& v) {
  const int first = recent_old * SHAPE::kKvHeads;
  take_heads(heads.raw, tokens * SHAPE::kHeads, q);
  quantize_heads(heads.raw, tokens * SHAPE::kHeads, heads.q);
  take_heads(heads.raw, tokens * SHAPE::kKvHeads, k);
  quantize_heads(heads.raw, tokens * SHAPE::kKvHeads, heads.key, first);
  take_heads(heads.raw, tokens * SHAPE::kKvHeads, v);
  quantize_heads(heads.raw, tokens * SHAPE::kKvHeads, heads.value, first);
}

// The records of the launch's own positions go to memory, key record before value record; their scales stay.
template <typename SHAPE, int CHUNK>
inline void give_own_records(RecentHeads<SHAPE, CHUNK>& heads, int tokens, int recent_old,
                             Port<Word>& kv_k_out, Port<Word>& kv_v_out) {
  Word scales[SHAPE::kScaleWords];
  STB_PARTITION(scales, 1)
  RecordOut step = {RecordOut::kKeys, recent_old * SHAPE::kKvHeads, 0, 0};
  int position = recent_old;
  STB_ENTER(kMoveDepth)
own_records:
  for (int i = 0; i < tokens * (2 * SHAPE::kKvHeads * SHAPE::kWords + SHAPE::kScaleWords); ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    if (step.part == RecordOut::kKeys) {
      Word word = step.kv % kScales == 0 && step.word == 0 ? zero_word() : scales[step.kv / kScales];
      set_byte(word, 4 * (step.kv % kScales), heads.key.m[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 1, heads.key.e[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 2, heads.value.m[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 3, heads.value.e[step.row][0]);
      scales[step.kv / kScales] = word;
      kv_k_out.write(heads.key.words[step.row][0][step.word]);
    } else if (step.part == RecordOut::kScaleWords) {
      heads.scales[position][step.word] = scales[step.word];
      if (step.word == SHAPE::kScaleWords - 1) ++position;
      kv_k_out.write(scales[step.word]);
    } else {
      kv_v_out.write(heads.value.words[step.row][0][step.word]);
    }
    step = step_after<SHAPE>(step);
  }
}

// The key records, then the value records of the `recent_old` positions before the launch.
template <typename SHAPE, int CHUNK>
inline void take_records(RecentHeads<SHAPE, CHUNK>& heads, int recent_old, Port<Word>& kv_k_in,
                         Port<Word>& kv_v_in) {
  int row = 0;
  int kv = 0;
  int word = 0;
  int position = 0;
  STB_ENTER(kMoveDepth)
key_records:
  for (int i = 0; i < recent_old * (SHAPE::kKvHeads * SHAPE::kWords + SHAPE::kScaleWords); ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word w = kv_k_in.read();
    const bool scales = kv == SHAPE::kKvHeads;
    if (scales) {
      heads.scales[position][word] = w;
    } else {
      heads.key.words[row][0][word] = w;
    }
    const bool last = word == (scales ? SHAPE::kScaleWords - 1 : SHAPE::kWords - 1);
    word = last ? 0 : word + 1;
    row = last && !scales ? row + 1 : row;
    position = last && scales ? position + 1 : position;
    kv = !last ? kv : scales ? 0 : kv + 1;
  }
  row = 0;
  word = 0;
  STB_ENTER(kMoveDepth)
value_records:
  for (int i = 0; i < recent_old * SHAPE::kKvHeads * SHAPE::kWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    heads.value.words[row][0][word] = kv_v_in.read();
    const bool last = word == SHAPE::kWords - 1;
    word = last ? 0 : word + 1;
    row = last ? row + 1 : row;
  }
}

}  // namespace stb
