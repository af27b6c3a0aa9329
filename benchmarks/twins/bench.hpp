// Drives a twin under Verilator: streams as FIFOs that take and give a word a cycle, with cycles for each
// word.
//
// The rules are those of the timed network: what is written in a cycle can be read in the next one, and what
// is read in a cycle has left its place for a write in the next one. `at` gives for each word the first cycle
// in which its source may write it, or its sink read it.
#pragma once

#include <verilated.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace bench {

using Cycle = std::int64_t;
constexpr Cycle kNever = -1;

struct Stream {
  bool into_twin = false;
  std::size_t bytes = 0;
  std::size_t depth = 0;
  std::vector<unsigned char> data;
  std::vector<Cycle> at;
  std::vector<Cycle> written;
  std::vector<Cycle> read;
  std::size_t count() const { return at.size(); }

  bool has_word(Cycle now) const { return read.size() < written.size() && written[read.size()] < now; }
  bool has_room(Cycle now) const {
    const std::size_t k = written.size();
    return k < depth || (k - depth < read.size() && read[k - depth] < now);
  }
  // The far end: a source writes its next word, a sink reads it.
  void step(Cycle now) {
    if (into_twin) {
      if (written.size() < count() && at[written.size()] <= now && has_room(now)) written.push_back(now);
    } else {
      if (read.size() < count() && at[read.size()] <= now && has_word(now)) read.push_back(now);
    }
  }
  bool done() const { return read.size() == count(); }
  Cycle last() const { return read.empty() ? 0 : read.back(); }
};

// Word `index` of a bus of words, and bit `index` of its valid or ready bits.
template <typename Data>
void set(Data& pins, const unsigned char* from, std::size_t bytes, std::size_t index = 0) {
  std::memcpy(reinterpret_cast<unsigned char*>(&pins) + index * bytes, from, bytes);
}
template <typename Data>
void get(const Data& pins, unsigned char* to, std::size_t bytes, std::size_t index = 0) {
  std::memcpy(to, reinterpret_cast<const unsigned char*>(&pins) + index * bytes, bytes);
}
template <typename Data>
void set_bit(Data& pins, std::size_t index, bool value) {
  pins = static_cast<Data>((pins & ~(Data{1} << index)) | (Data{value} << index));
}
template <typename Data>
bool get_bit(const Data& pins, std::size_t index) {
  return (pins >> index & 1) != 0;
}

// What a stream is connected to.
struct Pins {
  std::function<void(const unsigned char*, bool)> offer;  // a word for the twin, and whether it is one
  std::function<bool()> taken;
  std::function<void(bool)> room;
  std::function<bool(unsigned char*)> given;  // whether the twin gives a word in this cycle
};

inline void load(std::FILE* file, Stream& stream) {
  std::uint64_t head[4];
  if (std::fread(head, sizeof head, 1, file) != 1) std::abort();
  stream.into_twin = head[0] != 0;
  stream.bytes = head[1];
  stream.depth = head[2];
  stream.at.resize(head[3]);
  stream.data.resize(head[3] * stream.bytes);
  if (head[3] == 0) return;
  if (std::fread(stream.at.data(), sizeof(Cycle), head[3], file) != head[3]) std::abort();
  if (stream.into_twin && std::fread(stream.data.data(), stream.bytes, head[3], file) != head[3])
    std::abort();
}

inline void save(std::FILE* file, const Stream& stream) {
  std::fwrite(stream.written.data(), sizeof(Cycle), stream.written.size(), file);
  std::fwrite(stream.read.data(), sizeof(Cycle), stream.read.size(), file);
  if (!stream.into_twin) std::fwrite(stream.data.data(), 1, stream.data.size(), file);
}

// One cycle at the twin's side of all streams, between two edges of the clock.
inline void connect(std::vector<Stream>& streams, const std::vector<Pins>& pins, Cycle now,
                    const std::function<void()>& settle) {
  static unsigned char word[256];
  for (std::size_t i = 0; i < streams.size(); ++i) {
    Stream& s = streams[i];
    if (s.into_twin) {
      const bool there = s.has_word(now);
      pins[i].offer(there ? s.data.data() + s.read.size() * s.bytes : word, there);
    } else {
      pins[i].room(s.has_room(now));
    }
  }
  settle();
  for (std::size_t i = 0; i < streams.size(); ++i) {
    Stream& s = streams[i];
    if (s.into_twin) {
      if (s.has_word(now) && pins[i].taken()) s.read.push_back(now);
    } else if (s.has_room(now) && pins[i].given(word)) {
      const std::size_t k = s.written.size();
      if (k < s.count()) std::memcpy(s.data.data() + k * s.bytes, word, s.bytes);
      s.written.push_back(now);
    }
  }
}

// Runs until all words have come through, or `limit` cycles; 0 if they have.
template <typename Twin>
int run(
    Twin& twin, const std::vector<Pins>& pins, const char* input, const char* output, Cycle limit,
    const std::function<void(Cycle)>& each_cycle = [](Cycle) {}) {
  std::FILE* file = std::fopen(input, "rb");
  std::vector<Stream> streams(pins.size());
  for (Stream& stream : streams) load(file, stream);
  std::fclose(file);
  const auto settle = [&] {
    twin.clk = 0;
    twin.eval();
  };
  const auto edge = [&] {
    twin.clk = 1;
    twin.eval();
  };
  twin.reset = 1;
  for (int i = 0; i < 64; ++i) settle(), edge();
  twin.reset = 0;
  const auto done = [&] {
    return std::all_of(streams.begin(), streams.end(), [](auto& s) { return s.done(); });
  };
  Cycle now = 0;
  for (; now < limit && !done(); ++now) {
    each_cycle(now);
    connect(streams, pins, now, settle);
    for (Stream& stream : streams) stream.step(now);
    edge();
  }
  for (Cycle end = now + 64; now < end; ++now) connect(streams, pins, now, settle), edge();
  file = std::fopen(output, "wb");
  bool right = true;
  for (const Stream& stream : streams) {
    right = right && stream.done() && stream.written.size() == stream.count();
    if (right) save(file, stream);
  }
  std::fclose(file);
  if (right) return 0;
  for (const Stream& s : streams)
    std::printf("%s: %zu of %zu words written, %zu read\n", s.into_twin ? "in" : "out", s.written.size(),
                s.count(), s.read.size());
  return 1;
}

}  // namespace bench
