// The processes of `control`: memory to streams and back, each of them one long burst or a few.
//
// Pointers are m_axi ports in synthesis. In emulation every access is noted, so that the strict mode
// finds an address which one launch both writes and reads, and paid for in the timed network:
// STB_READ_BEGINS is the wait for the first word of a read that follows no other, STB_NOTE_READ the
// time of its words.
#pragma once

#include "stb/descriptor.hpp"
#include "stb/stream.hpp"
#include "stb/window.hpp"

#ifdef STB_SYNTHESIS
#define STB_NOTE_READ(address, words)
#define STB_READ_BEGINS(words)
#define STB_NOTE_WRITE(address, words)
#define STB_LEND(out, values, count)
#else
#include "../../sim/memory.hpp"
#endif

namespace stb {

constexpr int kBurst = 64;  // words of the longest AXI burst of 4 KB

// `count` words from mem[offset] on: bursts one behind the other, so that only the first is waited for.
inline void send(const Word* mem, std::int64_t offset, std::int64_t count, Port<Word>& out) {
  STB_LEND(out, mem + offset, count)
  STB_READ_BEGINS(count)
send_bursts:
  for (std::int64_t at = 0; at < count; at += kBurst) {
    const int part = static_cast<int>(count - at < kBurst ? count - at : kBurst);
    STB_NOTE_READ(mem + offset + at, part)
    write_n(out, mem + offset + at, part);
  }
}

// `count` words to mem[offset] on.
inline void receive(Word* mem, std::int64_t offset, std::int64_t count, Port<Word>& in) {
receive_bursts:
  for (std::int64_t at = 0; at < count; at += kBurst) {
    const int part = static_cast<int>(count - at < kBurst ? count - at : kBurst);
    STB_NOTE_WRITE(mem + offset + at, part)
    read_n(in, mem + offset + at, part);
  }
}

// Token ids are packed 16 to a word; each is a read of its own, since its row's address waits for it.
inline std::int32_t token_at(const Word* tokens, int index) {
  STB_READ_BEGINS(1)
  return lane(tokens[index / kLanes], index % kLanes);
}

// Descriptors `first` to `end` of a launch of n tokens, without those of the head if it does not run. The
// last of them all ends the launch.
inline void sequence(const Word* program, int first, int end, int n, int head, Port<Word>& desc) {
  STB_READ_BEGINS(end - first)
program_words:
  for (int i = first; i < end; ++i) {
    Word word = program[i];
    const bool head_only = lane(word, kHeadOnlyLane) == 1;
    set_lane(word, kHeadOnlyLane, head_only ? 1 : n);
    if (!head_only || head != 0) desc.write(word);
    STB_TICK(1)
  }
}

// The weight tiles of one channel in the order of their use, those of the head only if it runs.
inline void read_weights(const Word* mem, std::int64_t body_words, std::int64_t head_words, int head,
                         Port<Word>& out) {
  send(mem, 0, body_words + (head != 0 ? head_words : 0), out);
}

// Of each run's region the records before this launch that its first position sees.
template <int RUNS, int CONTEXT, int RECORD, typename WINDOWS = WholeContext>
void read_kv(const Word* mem, int pos, Port<Word>& out) {
read_runs:
  for (int run = 0; run < RUNS; ++run) {
    const int first = first_seen(pos, WINDOWS::at(run));
    send(mem, (static_cast<std::int64_t>(run) * CONTEXT + first) * RECORD,
         static_cast<std::int64_t>(pos - first) * RECORD, out);
  }
}

// Into each run's region the records of this launch's n positions.
template <int RUNS, int CONTEXT, int RECORD>
void write_kv(Word* mem, int pos, int n, Port<Word>& in) {
write_runs:
  for (int run = 0; run < RUNS; ++run) {
    const std::int64_t first = static_cast<std::int64_t>(run) * CONTEXT + pos;
    receive(mem, first * RECORD, static_cast<std::int64_t>(n) * RECORD, in);
  }
}

inline void write_words(Word* mem, std::int64_t count, Port<Word>& in) { receive(mem, 0, count, in); }

// The same if the head runs, else nothing.
inline void write_head_words(Word* mem, std::int64_t count, int head, Port<Word>& in) {
  receive(mem, 0, head != 0 ? count : 0, in);
}

}  // namespace stb
