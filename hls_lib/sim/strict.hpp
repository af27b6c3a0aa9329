// The strict mode: pipelines that stall, and memory that one launch both writes and reads.
//
// A pipelined loop that is not flushable keeps the writes of its last iterations (setting
// `strict.latency`, 16) until later iterations have got their inputs, or the loop has ended.
#pragma once

#include <cstdint>

#include "channel.hpp"

namespace stb {
namespace sim {

#ifdef STB_STRICT

// One iteration of a pipelined loop; lives as long as the body runs.
class Iteration {
 public:
  Iteration(const char* file, int line, bool flushable);
  ~Iteration();
  Iteration(const Iteration&) = delete;
  Iteration& operator=(const Iteration&) = delete;

 private:
  bool outermost_;
};

// The running process enters another loop, or the same one anew: nothing is held any more.
void end_pipeline();

// Before a read or write: a process that has left its pipelined loop lets everything go.
void leave_pipeline();

// The running process is in a pipeline that stalls: its writes are held.
bool holding();

// Keeps the token if the running process is in a stalling pipeline; false: write it now.
bool hold(Channel& channel, const void* token);

// This launch reads (writes) [address, address + bytes).
void note_read(const void* address, std::int64_t bytes);
void note_write(const void* address, std::int64_t bytes);

#else

inline void end_pipeline() {}
inline void leave_pipeline() {}
inline bool holding() { return false; }
inline bool hold(Channel&, const void*) { return false; }
inline void note_read(const void*, std::int64_t) {}
inline void note_write(const void*, std::int64_t) {}

#endif

}  // namespace sim
}  // namespace stb
