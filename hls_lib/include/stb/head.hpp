// Heads of q, k and v as int8 words with one scale each.
//
// Heads come as int32 words, all of a launch one after the other, and are quantised once all have come: a
// head's scale is not known before its last word.
#pragma once

#include "stb/quantize.hpp"

namespace stb {

// Where things lie in the records of one position; docs/machine.md describes them.
template <int HEADS, int KV_HEADS, int HEAD_DIM>
struct HeadShape {
  static_assert(HEAD_DIM % kLanes == 0, "the dimension of a head is a multiple of 16");
  static_assert(HEAD_DIM <= 512,
                "a head has at most 512 elements: a product of q and k stays within 24 bits");
  static_assert(HEADS % KV_HEADS == 0, "the heads of q are a multiple of those of k and v");
  enum : int {
    kHeads = HEADS,
    kKvHeads = KV_HEADS,
    kShared = HEADS / KV_HEADS,                        // heads of q that share one of k and v
    kInWords = HEAD_DIM / kLanes,                      // words of a head as int32
    kWords = ceil_div(HEAD_DIM, kWordBytes),           // words of a head as int8
    kBytes = kWordBytes * kWords,                      // elements of a head, padded
    kScaleWords = ceil_div(KV_HEADS, kWordBytes / 4),  // words of scales behind the keys of a record
    kRecordWords = 2 * KV_HEADS * kWords + kScaleWords,
    kHeadWords = ceil_div(HEADS, kLanes)  // words of one number for each head of q
  };
};

// Heads as int8, zeros behind them, and their scales: SHARED of them in each of COUNT rows.
template <int COUNT, int SHARED, int WORDS>
struct Heads {
  Word words[COUNT][SHARED][WORDS];
  uint8_t m[COUNT][SHARED];
  uint8_t e[COUNT][SHARED];
};

// Heads as int32, and the greatest magnitude of each.
template <int COUNT, int IN_WORDS>
struct RawHeads {
  Word words[COUNT * IN_WORDS];
  uint32_t top[COUNT];
};

template <int COUNT, int IN_WORDS>
inline void take_heads(RawHeads<COUNT, IN_WORDS>& raw, int heads, Port<Word>& x) {
  uint32_t tops[kLanes] = {};
  int head = 0;
  int word = 0;
  STB_ENTER(kTreeDepth)
take_words:
  for (int i = 0; i < heads * IN_WORDS; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    const Word w = x.read();
    raw.words[i] = w;
    raise_tops(tops, w, word == 0);
    const bool last = word == IN_WORDS - 1;
    if (last) raw.top[head] = largest_of(tops);
    word = last ? 0 : word + 1;
    head = last ? head + 1 : head;
  }
}

// Lanes of x as int8 in bytes 16 * quarter to 16 * quarter + 15 of `packed`, in units of `scale`.
inline void pack_quarter(Word& packed, int quarter, const Word& x, const Scale& scale) {
  const int32_t r = kReciprocal[scale.m - 128];
pack_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int32_t a = quantized(lane(x, l), r, scale.e);
    set_byte(packed, kLanes * quarter + l, static_cast<uint8_t>(a));
  }
}

// `heads` heads of `raw` in int8, in the rows of `to` from `first` on.
template <int ALL, int IN_WORDS, int COUNT, int SHARED, int WORDS>
inline void quantize_heads(const RawHeads<ALL, IN_WORDS>& raw, int heads, Heads<COUNT, SHARED, WORDS>& to,
                           int first = 0) {
  Word packed = zero_word();
  Scale scale = {128, 0};
  int head = 0;
  int row = first;
  int shared = 0;
  int word = 0;
  STB_ENTER(kScaleDepth)
quantize_words:
  for (int i = 0; i < heads * IN_WORDS; ++i) {
    STB_PIPELINE(1)
    STB_TICK(1)
    if (word == 0) scale = scale_of(raw.top[head]);
    if (word % 4 == 0) packed = zero_word();
    pack_quarter(packed, word % 4, raw.words[i], scale);
    to.words[row][shared][word / 4] = packed;
    to.m[row][shared] = static_cast<uint8_t>(scale.m);
    to.e[row][shared] = static_cast<uint8_t>(scale.e);
    const bool last = word == IN_WORDS - 1;
    const bool row_ends = last && shared == SHARED - 1;
    word = last ? 0 : word + 1;
    head = last ? head + 1 : head;
    shared = row_ends ? 0 : last ? shared + 1 : shared;
    row = row_ends ? row + 1 : row;
  }
}

// One head, already int8, comes from x; inside a pipelined loop.
template <int WORDS>
inline void read_words(Port<Word>& x, Word (&y)[WORDS]) {
read_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_UNROLL
    y[i] = x.read();
  }
}

constexpr int kWeightBits = 25;  // of a softmax weight, below 2^24, and a sign

inline int32_t signed_byte(const Word& w, int i) { return static_cast<int8_t>(byte_at(w, i)); }

template <int WORDS>
inline int32_t dot(const Word (&a)[WORDS], const Word (&b)[WORDS]) {
  int32_t sum = 0;
dot_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_UNROLL
  dot_bytes:
    for (int l = 0; l < kWordBytes; ++l) {
      STB_UNROLL
      const int32_t product =
          static_cast<int16_t>(signed_byte(a[i], l)) * static_cast<int16_t>(signed_byte(b[i], l));
      STB_MULTIPLY(product, fabric)
      sum += product;
    }
  }
  return sum;
}

// The sums of products below 2^31, exact for 32,768 of them: value = high * 2^16 + low. `keep` is false for
// the first product.
template <int WORDS>
inline void accumulate(uint32_t (&low)[WORDS * kWordBytes], int32_t (&high)[WORDS * kWordBytes],
                       int32_t weight, const Word (&a)[WORDS], bool keep) {
  const uint32_t mask = keep ? ~uint32_t(0) : 0;
accumulate_words:
  for (int i = 0; i < WORDS; ++i) {
    STB_UNROLL
  accumulate_bytes:
    for (int l = 0; l < kWordBytes; ++l) {
      STB_UNROLL
      const int at = kWordBytes * i + l;
      const Int<kWeightBits> narrow = weight;
      const Int<8> value = signed_byte(a[i], l);
      const Int<32> product = widened<32>(narrow) * value;
      low[at] = (low[at] & mask) + static_cast<uint32_t>(product & 65535);
      high[at] = (high[at] & static_cast<int32_t>(mask)) + (product >> 16);
    }
  }
}

}  // namespace stb
