#include "device_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "failure.hpp"

namespace stb {
namespace xrt_model {

namespace {

constexpr int kPattern = 0xa5;
// Up to the first a buffer is filled when it is made, up to the second before a launch; larger ones stay
// untouched, for the sake of time and memory.
constexpr std::uint64_t kFilledAtOnce = 1 << 20, kFilledLater = 64 << 20;

}  // namespace

DeviceMemory::~DeviceMemory() {
  while (!buffers_.empty()) release(buffers_.begin()->first);
}

std::string DeviceMemory::allocate(std::uint64_t address, std::uint64_t bytes) {
  release(address);
  void* data =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const int view = memfd_create("stbuild-host-view", MFD_CLOEXEC);
  if (data == MAP_FAILED || view < 0) {
    throw Failure("this machine has no memory for a buffer of " + std::to_string(bytes) + " bytes");
  }
  madvise(data, bytes, MADV_HUGEPAGE);  // kernels stream through it: measured a tenth faster
  const bool small = bytes <= kFilledAtOnce;
  if (small) std::memset(data, kPattern, bytes);
  buffers_[address] = {bytes, static_cast<char*>(data), view, !small};
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(view);
}

void DeviceMemory::release(std::uint64_t address) {
  const auto found = buffers_.find(address);
  if (found == buffers_.end()) return;
  munmap(found->second.data, found->second.bytes);
  close(found->second.host_view);
  buffers_.erase(found);
}

char* DeviceMemory::at(std::uint64_t address, std::uint64_t bytes) const {
  const auto found = find(address, bytes);
  return found->second.data + (address - found->first);
}

char* DeviceMemory::written(std::uint64_t address, std::uint64_t bytes) {
  const auto found = find(address, bytes);
  buffers_[found->first].untouched = false;
  return found->second.data + (address - found->first);
}

void DeviceMemory::fill() {
  for (auto& entry : buffers_) {
    Buffer& buffer = entry.second;
    if (buffer.untouched && buffer.bytes <= kFilledLater) std::memset(buffer.data, kPattern, buffer.bytes);
    buffer.untouched = false;
  }
}

std::map<std::uint64_t, DeviceMemory::Buffer>::const_iterator DeviceMemory::find(std::uint64_t address,
                                                                                 std::uint64_t bytes) const {
  auto found = buffers_.upper_bound(address);
  if (found != buffers_.begin()) {
    --found;
    const std::uint64_t offset = address - found->first;
    if (offset <= found->second.bytes && bytes <= found->second.bytes - offset) return found;
  }
  char text[20];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  throw Failure(std::string("no buffer holds ") + std::to_string(bytes) + " bytes at " + text);
}

}  // namespace xrt_model
}  // namespace stb
