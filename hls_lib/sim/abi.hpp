// The C interface of an emulated kernel image; docs/machine.md describes it.
#pragma once

#include <cstdint>

#define STB_EXPORT extern "C" __attribute__((visibility("default")))

// One launch. Buffers and scalars in the order of the manifest's arguments; buffers begin at multiples of
// 64 bytes.
// 0: done, 1: deadlock, 2: a check failed; after 1 and 2 the device is as new.
STB_EXPORT int stb_run(void* const* buffers, const std::uint64_t* scalars);

// Why the last launch failed; empty if it did not.
STB_EXPORT const char* stb_message();

// Cycles of the last launch, counted in the timed build (0 elsewhere).
STB_EXPORT std::uint64_t stb_cycles();

// JSON of the last launch in the timed build, sorted by name; "[]" elsewhere:
// [{"name": "router.collect", "end": 900, "busy": 500, "data_wait": 300, "space_wait": 100}, ...]:
// the process's last cycle, and how many until then it worked, waited for data, waited for space.
STB_EXPORT const char* stb_profile();

// JSON of the last launch in the traced build (STB_TRACE=1); "{}" elsewhere:
// {"router.collect": [["read", ["desc_collect"], 1], ["write", ["a", "b"], 7], ...], ...}: what each process
// read and wrote, in its order; equal steps in a row are one, to several streams at once is one step.
STB_EXPORT const char* stb_trace();

// Calls `function` with each token written to `stream`; null ends it. 0: done, 1: no such stream yet.
STB_EXPORT int stb_tap(const char* stream, void (*function)(void* user, const void* data, long bytes),
                       void* user);

// `depth.<stream>`, `bytes_per_cycle.<process>` and `read_latency.<process>` (timed build: memory that
// this process of control reads or writes, cycles until a read's first word), `strict.latency` (strict
// build), `outside.<process>` (1: that process runs elsewhere, see runtime.hpp). Builds the device afresh. 0:
// done, 1: no such key.
STB_EXPORT int stb_set(const char* key, double value);

// JSON, sorted by name: [{"name": "seg_0.norm1_y", "depth": 36, "high": 36}, ...]; in the timed build also
// "data_wait" and "space_wait", the cycles of the last launch that its reader and its writer waited.
STB_EXPORT const char* stb_streams();
