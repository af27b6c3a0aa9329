// From the product of a query with a key to the key's weight: scale, soft cap, bias by distance, power of 2.
//
// All that attention does to a score stands here and, to the same bits, in stbuild/reference/score.py;
// docs/numerics.md (Attention) is the definition. Scores are in base 2 with 16 fraction bits.
#pragma once

#include "stb/math.hpp"
#include "stb/tables.hpp"
#include "stb/window.hpp"

namespace stb {

// What happens to a score between its scale and its power. CAP is cap * log2(e) with 16 fraction bits, 0 for
// none; PER_CAP is 2^46 / CAP. SLOPES gives for each head slope * log2(e) with 24 fraction bits (ALiBi).
template <int CAP, int PER_CAP, typename SLOPES>
struct ScoreForm {
  static_assert(CAP >= 0 && CAP < (1 << 30), "a soft cap in base 2 is below 16,384");
  static_assert(CAP == 0 || CAP >= 65536, "a soft cap in base 2 is at least 1");
  enum : int { kCap = CAP, kPerCap = PER_CAP };
  static int slope(int head) { return SLOPES::at(head); }
};

using PlainScore = ScoreForm<0, 0, Always<0>>;

// cap * tanh(score / cap): tanh in 512 segments of 1/64, 1 - 2^-22 from 8 on.
inline int32_t soft_cap(int32_t score, int32_t cap, int32_t per_cap) {
  STB_ROM(kTanh)
  const int64_t last = (int64_t(1) << 27) - 1;
  const int64_t ratio = (static_cast<int64_t>(magnitude(score)) * per_cap) >> 22;
  const int32_t u = static_cast<int32_t>(ratio < last ? ratio : last);
  const int32_t left = kTanh[u >> 18];
  const int64_t rise = static_cast<int64_t>(kTanh[(u >> 18) + 1] - left) * (u & 262143);
  const int64_t tanh = left + (rise >> 18);
  const int32_t y = static_cast<int32_t>(round_shift(tanh * cap, 24));
  return score < 0 ? -y : y;
}

// The score of a key `distance` positions before the query; `product` has `shift` fraction bits too many.
template <typename FORM>
inline int32_t score_of(int64_t product, int shift, int32_t slope, int distance) {
  const int32_t scaled = sat(round_shift_biased(product, shift));
  const int32_t capped = FORM::kCap != 0 ? soft_cap(scaled, FORM::kCap, FORM::kPerCap) : scaled;
  if (slope == 0) return capped;
  return sat(capped - round_shift(static_cast<int64_t>(slope) * distance, 8));
}

// The weight of a score whose greatest companion is `top`: 2^(score - top) with 16 fraction bits.
inline int32_t weight_of(int32_t score, int32_t top) {
  STB_ROM(kPower)
  const uint32_t delta = static_cast<uint32_t>(top) - static_cast<uint32_t>(score);
  const int shift = min_of(static_cast<int>(delta >> 16), 31);
  const int f = static_cast<int>(delta & 65535);
  const int32_t left = kPower[f >> 10];
  const int32_t right = kPower[(f >> 10) + 1];
  return (left - (((left - right) * (f & 1023)) >> 10)) >> shift;
}

}  // namespace stb
