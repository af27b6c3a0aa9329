// The second process of attention: scores from dot products, 16 positions a cycle, and the greatest of a row.
#pragma once

#include "stb/head.hpp"
#include "stb/kv_blocks.hpp"
#include "stb/score.hpp"

namespace stb {

constexpr int kProductBits = 24;              // of q * k, of heads of up to 512 elements, signed
constexpr int32_t kUnseen = -2147483647 - 1;  // instead of the score of a position that a row does not see

// The scales of one head: of its rows, 16 a word, and of all positions, 16 a word.
template <int ROWS, int CONTEXT, int CHUNK>
struct HeadScales {
  enum : int {
    kRowWords = ceil_div(ROWS, kLanes),
    kPositionWords = 2 * ceil_div(CONTEXT, kBlock) + ceil_div(kOldRecents + CHUNK, kLanes)
  };
  Word rows[kRowWords];
  Word positions[kPositionWords];
};

// A step through a run: of each head of k and v the words with the scales of its rows, then those of
// positions, row by row; `own` is the row's position.
struct ScoreStep {
  int head;
  bool scales;  // of rows
  int row;
  int shared;
  int own;
  int word;
};

// The sizes of a launch that the steps depend on.
struct ScoreSizes {
  int pos;
  int rows;
  int words;
};

template <int SHARED>
inline ScoreStep step_after(const ScoreStep& step, const ScoreSizes& sizes) {
  ScoreStep next = step;
  ++next.word;
  if (step.scales) {
    if (kLanes * next.word < sizes.rows) return next;
    return ScoreStep{step.head, false, 0, 0, sizes.pos, 0};
  }
  if (next.word < sizes.words) return next;
  next.word = 0;
  ++next.row;
  const bool token_ends = step.shared == SHARED - 1;
  next.shared = token_ends ? 0 : step.shared + 1;
  next.own = token_ends ? step.own + 1 : step.own;
  if (next.row < sizes.rows) return next;
  return ScoreStep{step.head + 1, true, 0, 0, sizes.pos, 0};
}

// What the scores of a row have in common.
struct ScoreRow {
  int64_t factor;  // of the products: m_q * C
  int shift;       // of the products, less e_k
  int32_t slope;
  int first;  // position that the row sees
  int own;    // its last one
};

// The 16 scores of positions from `position` on.
template <typename FORM>
inline void score_lanes(const Word& products, const Word& scales, int position, const ScoreRow& row,
                        int32_t (&scores)[kLanes]) {
score_lanes:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int j = position + l;
    const bool seen = j >= row.first && j <= row.own;
    const int32_t scale = lane(scales, l);
    const int32_t dot = narrow<kProductBits>(seen ? lane(products, l) : 0);
    const int64_t product = static_cast<int64_t>(dot) * (scale & 255) * row.factor;
    const int32_t score = score_of<FORM>(product, row.shift - ((scale >> 8) & 31), row.slope, row.own - j);
    scores[l] = seen ? score : kUnseen;
  }
}

// The greatest scores, and exponents of values that the row sees, of each lane so far.
struct RowTops {
  int32_t scores[kLanes];
  int32_t exponents[kLanes];
};

inline void raise_row_tops(RowTops& tops, const int32_t (&scores)[kLanes], const Word& scales, int32_t sink,
                           bool first) {
top_scores:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    const int32_t score = first ? sink : tops.scores[l];
    const int32_t exponent = first ? 0 : tops.exponents[l];
    const int32_t value_e = scores[l] == kUnseen ? 0 : (lane(scales, l) >> 24) & 31;
    tops.scores[l] = scores[l] > score ? scores[l] : score;
    tops.exponents[l] = value_e > exponent ? value_e : exponent;
  }
}

// The word of a row behind its last score.
inline Word top_word(const RowTops& tops, int32_t sink, bool any_sink) {
  Word word = zero_word();
  set_lane(word, 0, largest_of(tops.scores));
  set_lane(word, 1, largest_of(tops.exponents));
  set_lane(word, 2, sink);
  set_lane(word, 3, any_sink ? 1 : 0);
  return word;
}

inline Word word_of(const int32_t (&x)[kLanes]) {
  Word word;
lanes_of_word:
  for (int l = 0; l < kLanes; ++l) {
    STB_UNROLL
    set_lane(word, l, x[l]);
  }
  return word;
}

// The sinks of a run: a score for each head of q that no value belongs to.
template <int WORDS>
struct RunSinks {
  bool any;
  Word scores[WORDS];
};

// The sinks of a run, if there are any: `words` words.
template <int WORDS>
inline void take_sinks(Word (&)[WORDS], int) {}

template <int WORDS>
inline void take_sinks(Word (&scores)[WORDS], int words, Port<Word>& sink_scores) {
  read_n(sink_scores, scores, words);
}

// A word of the positions' scales: with a head's first row it comes, and goes on to the weights.
template <typename SCALES>
inline Word scales_at(SCALES& head, const ScoreStep& step, const KvBlocks& kv, Port<Word>& scales,
                      Port<Word>& old_scales, Port<Word>& value_scales) {
  if (step.row > 0) return head.positions[step.word];
  const Word w = step.word < 2 * kv.blocks ? old_scales.read() : scales.read();
  head.positions[step.word] = w;
  value_scales.write(w);
  return w;
}

// All heads of a run.
template <int64_t C, typename FORM, int KV_HEADS, int SHARED, typename SCALES, int WORDS>
inline void score_run(SCALES& head, const RunSinks<WORDS>& sinks, const ScoreSizes& sizes, int window,
                      const KvBlocks& kv, Port<Word>& products, Port<Word>& dots, Port<Word>& scales,
                      Port<Word>& old_scales, Port<Word>& scores, Port<Word>& tops,
                      Port<Word>& value_scales) {
  STB_DISTANCE(head.rows, 1)
  STB_DISTANCE(head.positions, 1)
  RowTops row_tops = {};
  STB_PARTITION(row_tops.scores, 1)
  STB_PARTITION(row_tops.exponents, 1)
  STB_ENTER(kScoreDepth)
score_words:
  for (ScoreStep step = {0, true, 0, 0, sizes.pos, 0}; step.head < KV_HEADS;
       step = step_after<SHARED>(step, sizes)) {
    STB_FLUSHABLE(1)
    STB_TICK(1)
    if (step.scales) {
      head.rows[step.word] = scales.read();
    } else {
      const int query = step.head * SHARED + step.shared;
      const int32_t of_row = lane(head.rows[step.row / kLanes], step.row % kLanes);
      const int32_t sink = sinks.any ? lane(sinks.scores[query / kLanes], query % kLanes) : -2147483647;
      const ScoreRow row = {(of_row & 255) * C, 50 - ((of_row >> 8) & 31), FORM::slope(query),
                            first_seen(step.own, window), step.own};
      const Word of_positions = scales_at(head, step, kv, scales, old_scales, value_scales);
      const Word given = step.word < 2 * kv.blocks ? products.read() : dots.read();
      int32_t y[kLanes];
      score_lanes<FORM>(given, of_positions, kBlock * kv.first + kLanes * step.word, row, y);
      raise_row_tops(row_tops, y, of_positions, sink, step.word == 0);
      scores.write(word_of(y));
      if (step.word == sizes.words - 1) tops.write(top_word(row_tops, sink, sinks.any));
    }
  }
}

template <int RUNS, int HEADS, int KV_HEADS, int CHUNK, int CONTEXT, int64_t C, typename FORM,
          typename WINDOWS, typename... Sinks>
void score_runs(Port<Cmd>& cmd, Port<Word>& products, Port<Word>& dots, Port<Word>& scales,
                Port<Word>& old_scales, Port<Word>& scores, Port<Word>& tops, Port<Word>& value_scales,
                Sinks&... sink_scores) {
  static_assert(CONTEXT <= 32768, "the context is at most 32,768: the sums stay within 64 bits");
  static_assert(HEADS % KV_HEADS == 0, "the heads of q are a multiple of those of k and v");
  enum : int { kShared = HEADS / KV_HEADS, kSinkWords = ceil_div(HEADS, kLanes) };
  const Cmd c = cmd.read();
  const int tokens = cmd_tokens(c);
  const int pos = static_cast<int>(cmd_pos(c));
  HeadScales<CHUNK * kShared, CONTEXT, CHUNK> head;
  STB_BIND(head.rows, lutram)
  STB_BIND(head.positions, bram)
  RunSinks<kSinkWords> sinks;
  STB_PARTITION(sinks.scores, 1)
  sinks.any = sizeof...(Sinks) > 0;
score_each_run:
  for (int run = 0; run < RUNS; ++run) {
    const int window = WINDOWS::at(run);
    const KvBlocks kv = blocks_of(pos, tokens, window);
    const ScoreSizes sizes = {pos, tokens * kShared, position_words(kv)};
    take_sinks(sinks.scores, sinks.any ? kSinkWords : 0, sink_scores...);
    score_run<C, FORM, KV_HEADS, kShared>(head, sinks, sizes, window, kv, products, dots, scales, old_scales,
                                          scores, tops, value_scales);
  }
}

// C is the scale of the scores, round(scale * log2(e) * 2^20); FORM what else happens to them (score.hpp);
// WINDOWS how many positions a query sees in each run. Per run and head of k and v come `scales` (of the
// launch's rows, then of the recent positions: attention_heads.hpp) and `old_scales` (of the positions in
// full blocks, from memory), and go on to `value_scales`: those of full blocks, then the recent ones. Of each
// row come 16 dot products a word: `products` with the keys of full blocks, `dots` with recent ones; as many
// words of `scores` go out (base 2, 16 fraction bits, INT32_MIN where the row does not see the position),
// then a word of `tops`: the greatest score, the greatest exponent of the values seen, the sink's score, 1 if
// there is a sink. Lag: one row.
template <int RUNS, int HEADS, int KV_HEADS, int CHUNK, int CONTEXT, int64_t C, typename FORM = PlainScore,
          typename WINDOWS = WholeContext>
void attention_scores(Port<Cmd>& cmd, Port<Word>& products, Port<Word>& dots, Port<Word>& scales,
                      Port<Word>& old_scales, Port<Word>& scores, Port<Word>& tops,
                      Port<Word>& value_scales) {
  score_runs<RUNS, HEADS, KV_HEADS, CHUNK, CONTEXT, C, FORM, WINDOWS>(cmd, products, dots, scales, old_scales,
                                                                      scores, tops, value_scales);
}

// The same with a sink for each head of q: before all else, each run takes their scores (base 2, 16 fraction
// bits, ceil(HEADS / 16) words) from `sink_scores`.
template <int RUNS, int HEADS, int KV_HEADS, int CHUNK, int CONTEXT, int64_t C, typename FORM = PlainScore,
          typename WINDOWS = WholeContext>
void attention_scores_with_sinks(Port<Cmd>& cmd, Port<Word>& products, Port<Word>& dots, Port<Word>& scales,
                                 Port<Word>& old_scales, Port<Word>& sink_scores, Port<Word>& scores,
                                 Port<Word>& tops, Port<Word>& value_scales) {
  score_runs<RUNS, HEADS, KV_HEADS, CHUNK, CONTEXT, C, FORM, WINDOWS>(
      cmd, products, dots, scales, old_scales, scores, tops, value_scales, sink_scores);
}

}  // namespace stb
