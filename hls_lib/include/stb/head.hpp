// Heads of q, k and v as int8 words with one scale each, and the records of the KV cache.
#pragma once

#include "stb/quantize.hpp"

namespace stb {

// Where things lie in the records of one position; docs/machine.md describes them.
template <int HEADS, int KV_HEADS, int HEAD_DIM>
struct HeadShape {
  static_assert(HEAD_DIM % kLanes == 0, "the dimension of a head is a multiple of 16");
  static_assert(HEADS % KV_HEADS == 0, "the heads of q are a multiple of those of k and v");
  enum : int {
    kHeads = HEADS,
    kKvHeads = KV_HEADS,
    kShared = HEADS / KV_HEADS,                       // heads of q that share one of k and v
    kInWords = HEAD_DIM / kLanes,                     // words of a head as int32
    kWords = ceil_div(HEAD_DIM, kWordBytes),          // words of a head as int8
    kScaleWords = ceil_div(KV_HEADS, kWordBytes / 4)  // words of scales behind the keys of a record
  };
};

// One head of IN_WORDS words as int8, zeros behind it; gives its scale.
template <int IN_WORDS, int WORDS>
inline Scale quantize_head(const Word (&x)[IN_WORDS], Word (&y)[WORDS]) {
  const Scale scale = scale_of(largest(x, IN_WORDS));
  const int32_t r = kReciprocal[scale.m - 128];
clear_head:
  for (int i = 0; i < WORDS; ++i) y[i] = zero_word();
quantize_head:
  for (int i = 0; i < IN_WORDS; ++i) {
    STB_PIPELINE(1)
  quantize_lanes:
    for (int l = 0; l < kLanes; ++l) {
      STB_UNROLL
      const int32_t a = quantized(lane(x[i], l), r, scale.e);
      set_byte(y[i / 4], kLanes * (i % 4) + l, static_cast<uint8_t>(a));
    }
  }
  return scale;
}

// One head comes from x.
template <int IN_WORDS, int WORDS>
inline Scale read_head(Port<Word>& x, Word (&y)[WORDS]) {
  Word words[IN_WORDS];
  read_n(x, words, IN_WORDS);
  return quantize_head(words, y);
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

inline int32_t signed_byte(const Word& w, int i) { return static_cast<int8_t>(byte_at(w, i)); }

template <int WORDS>
inline int32_t dot(const Word (&a)[WORDS], const Word (&b)[WORDS]) {
  int32_t sum = 0;
dot_words:
  for (int i = 0; i < WORDS; ++i) {
  dot_bytes:
    for (int l = 0; l < kWordBytes; ++l) {
      STB_UNROLL
      sum += signed_byte(a[i], l) * signed_byte(b[i], l);
    }
  }
  return sum;
}

// sums += weight * a; weight is below 2^24, so a product has 32 bits.
template <int WORDS>
inline void accumulate(int64_t (&sums)[WORDS * kWordBytes], int32_t weight, const Word (&a)[WORDS]) {
accumulate_words:
  for (int i = 0; i < WORDS; ++i) {
  accumulate_bytes:
    for (int l = 0; l < kWordBytes; ++l) {
      STB_UNROLL
      sums[kWordBytes * i + l] += weight * signed_byte(a[i], l);
    }
  }
}

}  // namespace stb
