// A test double of a kernel image: keeps the tokens in "kv" and makes logits that depend on all of them.
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { kVocab = 272, kFails = 271, kHangs = 270, kSlow = 269, kSlowMicroseconds = 400000 };

static const char* message = "";
static uint64_t cycles;
static void (*tap)(void*, const void*, long);
static void* tap_user;

static void make_logits(const int32_t* kv, int count, const uint8_t* weights, int32_t* logits,
                        int32_t* token) {
  uint32_t state = 1;
  for (int i = 0; i < count; ++i) state = state * 31 + (uint32_t)kv[i] + weights[i % 64];
  *token = 0;
  for (int i = 0; i < kVocab; ++i) {
    logits[i] = (int32_t)(((state ^ (uint32_t)i * 2654435761u) >> 12) % 640000);
    if (logits[i] > logits[*token]) *token = i;
  }
}

// Buffers: tokens, weights, kv, logits, token. Scalars: n, pos, head.
int stb_run(void* const* buffers, const uint64_t* scalars) {
  const int32_t* tokens = buffers[0];
  int32_t* kv = buffers[2];
  const int n = (int)scalars[0], pos = (int)scalars[1];
  cycles = 100 + (uint64_t)n;
  for (int i = 0; i < n; ++i) {
    while (tokens[i] == kHangs) sleep(1);
    if (tokens[i] == kSlow) usleep(kSlowMicroseconds);
    if (tokens[i] == kFails) {
      message = "deadlock: a waits to read f (depth 2), b waits to write f";
      return 1;
    }
    kv[pos + i] = tokens[i];
    if (tap) tap(tap_user, &tokens[i], sizeof(int32_t));
  }
  if (scalars[2]) make_logits(kv, pos + n, buffers[1], buffers[3], buffers[4]);
  return 0;
}

const char* stb_message(void) { return message; }
uint64_t stb_cycles(void) { return cycles; }
int stb_set(const char* key, double value) { return strcmp(key, "known") != 0 || value < 0; }
const char* stb_streams(void) { return "[]"; }
int stb_tap(const char* stream, void (*function)(void*, const void*, long), void* user) {
  if (strcmp(stream, "seen") != 0) return 1;
  tap = function;
  tap_user = user;
  return 0;
}

#ifdef TWO_POINTERS
// Arguments tokens, weights, kv, kv, logits, token.
const int* stb_pointers(void) {
  static const int places[] = {0, 1, 2, 2, 3, 4};
  return places;
}
#endif
