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

// Calls `function` with each token written to `stream`; null ends it. 0: done, 1: no such stream yet.
STB_EXPORT int stb_tap(const char* stream, void (*function)(void* user, const void* data, long bytes),
                       void* user);

// `depth.<stream>`, `bytes_per_cycle.<process>` (timed build: memory that this process of control
// reads or writes), `strict.latency` (strict build). Builds the device afresh. 0: done, 1: no such key.
STB_EXPORT int stb_set(const char* key, double value);

// JSON, sorted by name: [{"name": "seg_0.norm1_y", "depth": 36, "high": 36}, ...].
STB_EXPORT const char* stb_streams();
