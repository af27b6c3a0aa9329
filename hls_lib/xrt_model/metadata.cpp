#include "metadata.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>

#include "failure.hpp"

namespace stb {
namespace xrt_model {

namespace {

// The value of an attribute of a tag such as `arg name="n" size="0x4"`; empty without it.
std::string attribute(std::string_view tag, const std::string& name) {
  const std::string start = " " + name + "=\"";
  const std::size_t at = tag.find(start);
  if (at == std::string_view::npos) return "";
  const std::size_t begin = at + start.size();
  return std::string(tag.substr(begin, tag.find('"', begin) - begin));
}

std::uint64_t number(std::string_view tag, const std::string& name) {
  return std::strtoull(attribute(tag, name).c_str(), nullptr, 0);
}

bool names(std::string_view tag, std::string_view element) {
  return tag.substr(0, element.size()) == element && tag.size() > element.size() &&
         tag[element.size()] == ' ';
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void add(std::string_view tag, std::vector<HostKernel>& kernels) {
  if (names(tag, "kernel")) kernels.push_back({attribute(tag, "name"), 0, {}});
  if (kernels.empty()) return;
  HostKernel& kernel = kernels.back();
  if (names(tag, "addrRemap")) kernel.base_address = number(tag, "base");
  if (names(tag, "arg")) {
    const bool is_pointer = number(tag, "addressQualifier") == 1;
    kernel.arguments.push_back(
        {attribute(tag, "name"), number(tag, "offset"), number(tag, "size"), is_pointer});
  }
}

}  // namespace

HostKernel read_host_kernel(const std::string& path) {
  const std::string text = read(path);
  std::vector<HostKernel> kernels;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    add(std::string_view(text).substr(at + 1, text.find('>', at) - at - 1), kernels);
  }
  std::vector<HostKernel> started;
  for (const HostKernel& kernel : kernels) {
    if (!kernel.arguments.empty()) started.push_back(kernel);
  }
  if (started.size() != 1) {
    throw Failure("the xclbin has " + std::to_string(started.size()) + " kernels with arguments, not one");
  }
  return started.front();
}

}  // namespace xrt_model
}  // namespace stb
