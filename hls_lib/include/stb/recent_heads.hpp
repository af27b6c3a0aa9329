// The launch's heads and those of the recent positions as attention keeps them on chip, and their records.
#pragma once

#include "stb/attention_memory.hpp"
#include "stb/kv_blocks.hpp"

namespace stb {

// Heads of recent positions as int8: position j lies in bank j % kBanks.
template <typename SHAPE, int RECENTS>
struct BankedHeads {
  Word words[kBanks][ceil_div(RECENTS, kBanks) * SHAPE::kKvHeads][SHAPE::kWords];

  static int row(int position, int kv) { return position / kBanks * SHAPE::kKvHeads + kv; }
};

// What one run keeps on chip: the launch's q, k and v, and keys and values of recent positions. A row of q is
// a token's head of k and v; values have a row for each head of each recent position. The scales are those of
// a key record; those of a token's keys wait for its values in `key_m` and `key_e`.
template <typename SHAPE, int CHUNK>
struct RecentHeads {
  enum : int { kRecents = kOldRecents + CHUNK };
  Word ahead[2][SHAPE::kInWords];  // a head as int32 that comes in, and the one before, which is quantised
  Word q[CHUNK * SHAPE::kKvHeads][SHAPE::kShared][SHAPE::kWords];
  uint8_t q_m[CHUNK * SHAPE::kKvHeads][SHAPE::kShared];
  uint8_t q_e[CHUNK * SHAPE::kKvHeads][SHAPE::kShared];
  BankedHeads<SHAPE, kRecents> key;
  uint8_t key_m[SHAPE::kKvHeads];
  uint8_t key_e[SHAPE::kKvHeads];
  Word value[kRecents * SHAPE::kKvHeads][SHAPE::kWords];
  Word scales[kRecents][SHAPE::kScaleWords];
};

template <typename SHAPE, int CHUNK>
inline void lay_out(RecentHeads<SHAPE, CHUNK>& heads) {
  STB_INLINE
  static_cast<void>(heads);  // pragmas are no use of it
  STB_BIND(heads.ahead, lutram)
  STB_PARTITION(heads.ahead, 1)
  STB_BIND(heads.q, bram)
  STB_BIND(heads.key.words, bram)
  STB_PARTITION(heads.key.words, 1)
  STB_BIND(heads.value, bram)
  STB_BIND(heads.scales, bram)
}

// A step through the words of the launch's heads: of each token its heads of q, then those of k, then of v.
struct HeadIn {
  enum Part { kQuery, kKey, kValue, kEnd };
  Part part;
  int token;
  int kv;
  int shared;
  int word;
  int slot;  // of `ahead`
};

template <typename SHAPE>
inline HeadIn step_after(const HeadIn& step, int tokens) {
  HeadIn next = step;
  next.word = step.word + 1;
  if (next.word < SHAPE::kInWords) return next;
  next.word = 0;
  next.slot = 1 - step.slot;
  next.shared = step.shared + 1;
  if (step.part == HeadIn::kQuery && next.shared < SHAPE::kShared) return next;
  next.shared = 0;
  next.kv = step.kv + 1;
  if (next.kv < SHAPE::kKvHeads) return next;
  next.kv = 0;
  next.part = static_cast<HeadIn::Part>(step.part + 1);
  if (next.part != HeadIn::kEnd) return next;
  next.token = step.token + 1;
  if (next.token < tokens) next.part = HeadIn::kQuery;
  return next;
}

// A word of a quantised head, complete or as far as it has come, joins the launch's.
template <typename SHAPE, int CHUNK>
inline void keep_word(RecentHeads<SHAPE, CHUNK>& heads, const HeadIn& step, int recent_old,
                      const Word& packed, const Scale& scale, Word& scales) {
  const int row = step.token * SHAPE::kKvHeads + step.kv;
  const int position = recent_old + step.token;
  const int word = step.word / 4;
  if (step.part == HeadIn::kQuery) {
    heads.q[row][step.shared][word] = packed;
    heads.q_m[row][step.shared] = static_cast<uint8_t>(scale.m);
    heads.q_e[row][step.shared] = static_cast<uint8_t>(scale.e);
  } else if (step.part == HeadIn::kKey) {
    heads.key.words[position % kBanks][heads.key.row(position, step.kv)][word] = packed;
    heads.key_m[step.kv] = static_cast<uint8_t>(scale.m);
    heads.key_e[step.kv] = static_cast<uint8_t>(scale.e);
  } else {
    heads.value[position * SHAPE::kKvHeads + step.kv][word] = packed;
    if (step.kv % kScales == 0 && step.word == 0) scales = zero_word();
    const int of_value = (static_cast<int>(scale.e) << 24) | (static_cast<int>(scale.m) << 16);
    set_lane(scales, step.kv % kScales, of_value | (heads.key_e[step.kv] << 8) | heads.key_m[step.kv]);
    heads.scales[position][step.kv / kScales] = scales;
  }
}

// Token by token q, k and v of the launch, keys and values behind those of `recent_old` positions: while a
// head comes in, the one before, whose greatest magnitude is known, is quantised.
template <typename SHAPE, int CHUNK>
inline void take_launch(RecentHeads<SHAPE, CHUNK>& heads, int tokens, int recent_old, Port<Word>& q,
                        Port<Word>& k, Port<Word>& v) {
  STB_DISTANCE(heads.ahead, SHAPE::kInWords)
  STB_DISTANCE(heads.key_m, SHAPE::kInWords)
  STB_DISTANCE(heads.key_e, SHAPE::kInWords)
  uint32_t tops[kLanes] = {};
  uint32_t top = 0;
  Word packed = zero_word();
  Word scales = zero_word();
  Scale scale = {128, 0};
  HeadIn in = {HeadIn::kQuery, 0, 0, 0, 0, 0};
  HeadIn out = in;
  const int words = tokens * (SHAPE::kHeads + 2 * SHAPE::kKvHeads) * SHAPE::kInWords;
  STB_ENTER(kTreeDepth + kScaleDepth)
take_words:
  for (int i = 0; i < words + SHAPE::kInWords; ++i) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    if (i >= SHAPE::kInWords) {
      if (out.word == 0) scale = scale_of(top);
      if (out.word % 4 == 0) packed = zero_word();
      pack_quarter(packed, out.word % 4, heads.ahead[out.slot][out.word], scale);
      keep_word(heads, out, recent_old, packed, scale, scales);
      out = step_after<SHAPE>(out, tokens);
    }
    if (in.part != HeadIn::kEnd) {
      const Word w = in.part == HeadIn::kQuery ? q.read() : in.part == HeadIn::kKey ? k.read() : v.read();
      heads.ahead[in.slot][in.word] = w;
      raise_tops(tops, w, in.word == 0);
      top = largest_of(tops);
      in = step_after<SHAPE>(in, tokens);
    }
  }
}

// The records of the launch's own positions go to memory.
template <typename SHAPE, int CHUNK>
inline void give_own_records(const RecentHeads<SHAPE, CHUNK>& heads, int tokens, int recent_old,
                             Port<Word>& kv_out) {
  RecordOut step = {RecordOut::kKeys, recent_old * SHAPE::kKvHeads, 0, 0};
  int position = recent_old;
  STB_ENTER(kMoveDepth)
own_records:
  for (int i = 0; i < tokens * SHAPE::kRecordWords; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    Word out = zero_word();
    if (step.part == RecordOut::kKeys) {
      out = heads.key.words[position % kBanks][heads.key.row(position, step.kv)][step.word];
    } else if (step.part == RecordOut::kScaleWords) {
      out = heads.scales[position][step.word];
    } else {
      out = heads.value[step.row][step.word];
    }
    kv_out.write(out);
    const RecordOut next = step_after<SHAPE>(step);
    if (step.part == RecordOut::kValues && next.part == RecordOut::kKeys) ++position;
    step = next;
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
      heads.key.words[position % kBanks][heads.key.row(position, step.kv)][step.word] = word;
    } else if (step.part == RecordOut::kScaleWords) {
      heads.scales[position][step.word] = word;
    } else {
      heads.value[step.row][step.word] = word;
    }
    const RecordOut next = step_after<SHAPE>(step);
    if (step.part == RecordOut::kValues && next.part == RecordOut::kKeys) ++position;
    step = next;
  }
}

}  // namespace stb
