// The processes of `control`: memory to streams and back, each of them one long burst or a few.
//
// Pointers are m_axi ports in synthesis. In emulation every access is noted, so that the strict mode
// finds an address which one launch both writes and reads, and paid for in the timed network:
// STB_READ_BEGINS is the wait for the first word of a read that follows no other. The bursts of one read
// follow each other without a wait as long as the port may have enough of them outstanding
// (codegen/control.py): 8 of 64 words are 512 cycles, a round trip is some 100.
#pragma once

#include "stb/prefetch.hpp"
#include "stb/program.hpp"
#include "stb/stream.hpp"

#ifdef STB_SYNTHESIS
#define STB_READ_BEGINS(words)
#define STB_SEND(address, count, out) write_n(out, address, static_cast<int>(count));
#define STB_RECEIVE(address, count, in) read_n(in, address, static_cast<int>(count));
#define STB_COUNT(count, out) out.write(::stb::count_word(count));
#else
#define STB_COUNT(count, out) static_cast<void>(count);  // the cycles in which it is found
#include "../../sim/memory.hpp"
#endif

namespace stb {

// `count` words from mem[offset] on: one loop, which Vitis HLS makes bursts of that follow each other.
inline void send(const Word* mem, std::int64_t offset, std::int64_t count, Port<Word>& out) {
  STB_READ_BEGINS(count)
  STB_SEND(mem + offset, count, out)
}

// `count` words to mem[offset] on.
inline void receive(Word* mem, std::int64_t offset, std::int64_t count, Port<Word>& in) {
  STB_RECEIVE(mem + offset, count, in)
}

// Token ids are packed 16 to a word; each is a read of its own, since its row's address waits for it.
inline std::int32_t token_at(const Word* tokens, int index) {
  STB_READ_BEGINS(1)
  return lane(tokens[index / kLanes], index % kLanes);
}

constexpr int kProgramWords = 16;    // that the sequencer reads at a time
constexpr int kProgramInterval = 8;  // cycles of an op: a product decides whether it is sent again

// Descriptors `first` to `end` of a launch of n tokens from position pos. Those of the head are left out if
// it does not run, those of batches behind the n tokens, and those of keys and values if there are no full
// blocks; keys or values that meet more than BATCH rows are sent several times. The last of them all ends the
// launch.
template <int BATCH, int CHANNELS>
void sequence(const Word* program, int first, int end, int n, int pos, int head, Port<Word>& desc) {
  Word words[kProgramWords];
program_parts:
  for (int at = first; at < end; at += kProgramWords) {
    const int count = min_of(end - at, kProgramWords);
    STB_READ_BEGINS(count)
    STB_ENTER(kMoveDepth)
  read_program:
    for (int i = 0; i < count; ++i) {
      STB_PIPELINE(1)
      STB_TICK(1)
      words[i] = program[at + i];
    }
    int rows_left = 0;
    STB_ENTER(kMultiplyDepth)
  send_ops:
    for (int i = 0; i < count;) {
      STB_FLUSHABLE(kProgramInterval)
      STB_TICK(kProgramInterval)
      SentOp op = sent_op<BATCH, CHANNELS>(words[i], n, pos, head != 0);
      const int rows = rows_left > 0 ? rows_left : op.rows;
      const int now = min_of(rows, BATCH);
      set_lane(op.word, kHeadOnlyLane, now);
      rows_left = rows - now;
      set_lane(op.word, kPartLane, lane(op.word, kKindLane) == kValueKind && rows_left > 0 ? 1 : 0);
      if (now > 0) desc.write(op.word);
      i = rows_left > 0 ? i : i + 1;
    }
  }
}

// The weight tiles of one channel in the order of their use, those of the head only if it runs; in front of
// them how many words they are (stb/prefetch.hpp).
inline void read_weights(const Word* mem, std::int64_t body_words, std::int64_t head_words, int head,
                         Port<Word>& out) {
  const std::int64_t words = body_words + (head != 0 ? head_words : 0);
  STB_COUNT(words, out)
  send(mem, 0, words, out);
}

inline void write_words(Word* mem, std::int64_t count, Port<Word>& in) { receive(mem, 0, count, in); }

// The same if the head runs, else nothing.
inline void write_head_words(Word* mem, std::int64_t count, int head, Port<Word>& in) {
  receive(mem, 0, head != 0 ? count : 0, in);
}

}  // namespace stb
