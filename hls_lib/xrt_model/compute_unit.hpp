// The compute unit that the host starts: its registers, and the kernel image behind them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "device_memory.hpp"
#include "metadata.hpp"

namespace stb {
namespace xrt_model {

class ComputeUnit {
 public:
  // Loads the kernel image at `image`, a shared object with the interface of hls_lib/sim/abi.hpp.
  ComputeUnit(HostKernel kernel, const std::string& image, DeviceMemory& memory);

  // Registers by the address that XRT uses. Bit 0 of the first one starts a launch, which runs when XRT then
  // reads that register to see whether it has ended. A launch that fails never ends, as on a card.
  void write(std::uint64_t address, std::string_view bytes);
  std::string read(std::uint64_t address, std::uint64_t bytes);

 private:
  enum class State { kIdle, kStarted, kHanging };

  std::size_t offset_of(std::uint64_t address, std::uint64_t bytes) const;
  std::uint64_t value_of(const Argument& argument) const;
  void gather();
  void run();

  const HostKernel kernel_;
  DeviceMemory& memory_;
  int (*run_image_)(void* const*, const std::uint64_t*);
  const char* (*message_)();
  const int* (*pointers_)();

  State state_ = State::kIdle;
  std::vector<char> registers_;
  std::vector<void*> buffers_;
  std::vector<std::uint64_t> scalars_;
};

}  // namespace xrt_model
}  // namespace stb
