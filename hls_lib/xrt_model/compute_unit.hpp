// The compute unit that the host starts: its registers, and a thread that runs the kernel image.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "device_memory.hpp"
#include "metadata.hpp"

namespace stb {
namespace xrt_model {

class ComputeUnit {
 public:
  // Loads the kernel image at `image`, a shared object with the interface of hls_lib/sim/abi.hpp.
  ComputeUnit(HostKernel kernel, const std::string& image, const DeviceMemory& memory);
  ~ComputeUnit();
  ComputeUnit(const ComputeUnit&) = delete;
  ComputeUnit& operator=(const ComputeUnit&) = delete;

  // Registers by the address that XRT uses. Bit 0 of the first one starts a launch; while one runs, a read
  // of that register waits for its end, for some milliseconds. A launch that fails never ends, as on a card.
  void write(std::uint64_t address, std::string_view bytes);
  std::string read(std::uint64_t address, std::uint64_t bytes);

 private:
  std::size_t offset_of(std::uint64_t address, std::uint64_t bytes) const;
  std::uint64_t value_of(const Argument& argument) const;
  void gather();
  void work();

  const HostKernel kernel_;
  const DeviceMemory& memory_;
  int (*run_image_)(void* const*, const std::uint64_t*);
  const char* (*message_)();
  const int* (*pointers_)();

  std::vector<char> registers_;
  std::vector<void*> buffers_;
  std::vector<std::uint64_t> scalars_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool running_ = false;
  bool ending_ = false;
  std::thread worker_;
};

}  // namespace xrt_model
}  // namespace stb
