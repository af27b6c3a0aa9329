// What an xclbin's EMBEDDED_METADATA says of the kernel that the host starts: its arguments and registers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stb {
namespace xrt_model {

struct Argument {
  std::string name;
  std::uint64_t offset;
  std::uint64_t bytes;
  bool is_pointer;
};

struct HostKernel {
  std::string name;
  std::uint64_t base_address;
  std::vector<Argument> arguments;
};

// The one kernel with arguments in the XML file at `path`.
HostKernel read_host_kernel(const std::string& path);

}  // namespace xrt_model
}  // namespace stb
