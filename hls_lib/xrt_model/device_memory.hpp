// The card's memory: buffers at the addresses that XRT gives them, apart from what the host sees of them.
//
// A buffer has memory of its own, filled with a pattern, and a file for the host's view. Only XRT's sync
// messages carry bytes from one to the other, so that a host which forgets to sync gets wrong results.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace stb {
namespace xrt_model {

class DeviceMemory {
 public:
  DeviceMemory() = default;
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // Makes a buffer; returns the path of the file that XRT maps for the host.
  std::string allocate(std::uint64_t address, std::uint64_t bytes);

  void release(std::uint64_t address);

  // The memory of [address, address + bytes), which must lie in one buffer, to read.
  char* at(std::uint64_t address, std::uint64_t bytes) const;

  // The same, to write to from the host.
  char* written(std::uint64_t address, std::uint64_t bytes);

  // Before a launch: gives unknown contents to what the host has never written.
  void fill();

 private:
  struct Buffer {
    std::uint64_t bytes;
    char* data;
    int host_view;
    bool untouched;
  };

  std::map<std::uint64_t, Buffer>::const_iterator find(std::uint64_t address, std::uint64_t bytes) const;

  std::map<std::uint64_t, Buffer> buffers_;
};

}  // namespace xrt_model
}  // namespace stb
