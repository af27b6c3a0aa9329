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

// The records of the launch's own positions go to memory; their scales stay.
template <typename SHAPE, int CHUNK>
inline void give_own_records(RecentHeads<SHAPE, CHUNK>& heads, int tokens, int recent_old,
                             Port<Word>& kv_out) {
  Word scales[SHAPE::kScaleWords];
  STB_PARTITION(scales, 1)
  RecordOut step = {RecordOut::kKeys, recent_old * SHAPE::kKvHeads, 0, 0};
  int position = recent_old;
  STB_ENTER(kMoveDepth)
own_records:
  for (int i = 0; i < tokens * SHAPE::kRecordWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    Word out = zero_word();
    if (step.part == RecordOut::kKeys) {
      Word word = step.kv % kScales == 0 && step.word == 0 ? zero_word() : scales[step.kv / kScales];
      set_byte(word, 4 * (step.kv % kScales), heads.key.m[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 1, heads.key.e[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 2, heads.value.m[step.row][0]);
      set_byte(word, 4 * (step.kv % kScales) + 3, heads.value.e[step.row][0]);
      scales[step.kv / kScales] = word;
      out = heads.key.words[step.row][0][step.word];
    } else if (step.part == RecordOut::kScaleWords) {
      heads.scales[position][step.word] = scales[step.word];
      if (step.word == SHAPE::kScaleWords - 1) ++position;
      out = scales[step.word];
    } else {
      out = heads.value.words[step.row][0][step.word];
    }
    kv_out.write(out);
    step = step_after<SHAPE>(step);
  }
}

// The records of the `recent_old` positions before the launch.
template <typename SHAPE, int CHUNK>
inline void take_records(RecentHeads<SHAPE, CHUNK>& heads, int recent_old, Port<Word>& kv_in) {
  RecordOut step = {RecordOut::kKeys, 0, 0, 0};
  int position = 0;
  STB_ENTER(kMoveDepth)
old_records:
  for (int i = 0; i < recent_old * SHAPE::kRecordWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word word = kv_in.read();
    if (step.part == RecordOut::kKeys) {
      heads.key.words[step.row][0][step.word] = word;
    } else if (step.part == RecordOut::kScaleWords) {
      heads.scales[position][step.word] = word;
      if (step.word == SHAPE::kScaleWords - 1) ++position;
    } else {
      heads.value.words[step.row][0][step.word] = word;
    }
    step = step_after<SHAPE>(step);
  }
}

}  // namespace stb
