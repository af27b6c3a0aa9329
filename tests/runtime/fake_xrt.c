// A mock of XRT's C interface for what only a card refuses: FAKE_XRT_STEP fails with error FAKE_XRT_ERRNO.
// Its launches do nothing and end in state FAKE_XRT_STATE (4: completed).
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void* handle;

static int number(const char* name, int otherwise) {
  const char* text = getenv(name);
  return text ? atoi(text) : otherwise;
}

static int fails(const char* step) {
  const char* wanted = getenv("FAKE_XRT_STEP");
  if (!wanted || strcmp(wanted, step) != 0) return 0;
  if (getenv("FAKE_XRT_PRINTS")) fprintf(stderr, "[XRT] ERROR: %s\n", getenv("FAKE_XRT_PRINTS"));
  errno = number("FAKE_XRT_ERRNO", 0);
  return 1;
}

static handle handle_of(const char* step) { return fails(step) ? NULL : malloc(1 << 20); }
static int status_of(const char* step) { return fails(step) ? -1 : 0; }

handle xrtDeviceOpen(unsigned index) { return index == 0 ? handle_of("open") : NULL; }
handle xrtDeviceOpenByBDF(const char* address) { return strlen(address) > 0 ? handle_of("open") : NULL; }
int xrtDeviceClose(handle device) { return device ? status_of("close") : -1; }
int xrtDeviceLoadXclbinFile(handle device, const char* path) {
  return device && path ? status_of("load") : -1;
}
int xrtDeviceGetXclbinUUID(handle device, void* uuid) {
  memset(uuid, 1, 16);
  return device ? 0 : -1;
}
handle xrtPLKernelOpenExclusive(handle device, const void* uuid, const char* name) {
  return device && uuid && name ? handle_of("kernel") : NULL;
}
int xrtKernelArgGroupId(handle kernel, int argument) { return kernel && argument >= 0 ? 0 : -1; }
int xrtKernelClose(handle kernel) { return kernel ? 0 : -1; }
handle xrtBOAlloc(handle device, size_t size, unsigned long flags, unsigned group) {
  return device && size && !flags && !group ? handle_of("allocate") : NULL;
}
// No card without DMA takes user pointers.
handle xrtBOAllocUserPtr(handle device, void* memory, size_t size, unsigned long flags, unsigned group) {
  errno = EINVAL;
  return device && memory && size && !flags && !group && getenv("FAKE_XRT_DMA") ? malloc(1 << 20) : NULL;
}
void* xrtBOMap(handle buffer) { return buffer; }
int xrtBOSync(handle buffer, int direction, size_t size, size_t offset) {
  return buffer && direction < 2 && size && offset < 1 << 20 ? status_of("sync") : -1;
}
int xrtBOFree(handle buffer) {
  free(buffer);
  return 0;
}
handle xrtRunOpen(handle kernel) { return kernel ? handle_of("run") : NULL; }
int xrtRunSetArg(handle run, int index, ...) { return run && index >= 0 ? status_of("argument") : -1; }
int xrtRunStart(handle run) { return run ? status_of("start") : -1; }
int xrtRunWaitFor(handle run, unsigned limit) { return run && limit ? number("FAKE_XRT_STATE", 4) : -1; }
int xrtRunClose(handle run) { return run ? 0 : -1; }
