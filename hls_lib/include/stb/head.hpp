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
    kShared = HEADS / KV_HEADS,                        // heads of q that share one of k and v
    kInWords = HEAD_DIM / kLanes,                      // words of a head as int32
    kWords = ceil_div(HEAD_DIM, kWordBytes),           // words of a head as int8
    kBytes = kWordBytes * kWords,                      // elements of a head, padded
    kScaleWords = ceil_div(KV_HEADS, kWordBytes / 4),  // words of scales behind the keys of a record
    kHeadWords = ceil_div(HEADS, kLanes)               // words of one number for each head of q
  };
};

// One head of IN_WORDS words as int8, zeros behind it; gives its scale.
template <int IN_WORDS, int WORDS>
inline Scale quantize_head(const Word (&x)[IN_WORDS], Word (&y)[WORDS]) {
  const Scale scale = scale_of(largest(x));
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

// A head's int8 values one by one.
template <int WORDS, typename T>
inline void unpack_head(const Word (&words)[WORDS], T (&a)[WORDS * kWordBytes]) {
unpack_words:
  for (int i = 0; i < WORDS; ++i) {
  unpack_bytes:
    for (int l = 0; l < kWordBytes; ++l) {
      STB_UNROLL
      a[kWordBytes * i + l] = static_cast<T>(signed_byte(words[i], l));
    }
  }
}

template <int WORDS>
inline int32_t dot(const int16_t (&a)[WORDS * kWordBytes], const Word (&b)[WORDS]) {
  int32_t sum = 0;
dot_words:
  for (int i = 0; i < WORDS; ++i) {
  dot_bytes:
    for (int l = 0; l < kWordBytes; ++l) {
      STB_UNROLL
      sum += a[kWordBytes * i + l] * static_cast<int16_t>(signed_byte(b[i], l));
    }
  }
  return sum;
}

// Sums of products below 2^31, exact for 32,768 of them: value = high * 2^16 + low.
template <int ELEMENTS>
struct SplitSums {
  uint32_t low[ELEMENTS];
  int32_t high[ELEMENTS];
};

template <int ELEMENTS>
inline void clear(SplitSums<ELEMENTS>& sums) {
clear_sums:
  for (int i = 0; i < ELEMENTS; ++i) {
    STB_UNROLL
    sums.low[i] = 0;
    sums.high[i] = 0;
  }
}

// sums += weight * a for int8 a; weight is below 2^24.
template <int ELEMENTS>
inline void accumulate(SplitSums<ELEMENTS>& sums, int32_t weight, const int32_t (&a)[ELEMENTS]) {
accumulate_elements:
  for (int i = 0; i < ELEMENTS; ++i) {
    STB_UNROLL
    const int32_t product = weight * a[i];
    sums.low[i] += static_cast<uint32_t>(product & 65535);
    sums.high[i] += product >> 16;
  }
}

}  // namespace stb
