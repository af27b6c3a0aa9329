#include "compute_unit.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "failure.hpp"

namespace stb {
namespace xrt_model {

namespace {

constexpr std::uint64_t kRegisterBytes = 0x10000;
constexpr char kStart = 1, kDoneAndIdle = 6;
// XRT asks again at once; so long an answer takes when nothing will change.
constexpr unsigned kHangingMicroseconds = 20000;

template <typename T>
T symbol(void* library, const char* name) {
  return reinterpret_cast<T>(dlsym(library, name));
}

}  // namespace

ComputeUnit::ComputeUnit(HostKernel kernel, const std::string& image, DeviceMemory& memory)
    : kernel_(std::move(kernel)), memory_(memory), registers_(kRegisterBytes) {
  void* library = dlopen(image.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Failure(std::string("the kernel image cannot be loaded: ") + dlerror());
  run_image_ = symbol<decltype(run_image_)>(library, "stb_run");
  message_ = symbol<decltype(message_)>(library, "stb_message");
  pointers_ = symbol<decltype(pointers_)>(library, "stb_pointers");
  if (run_image_ == nullptr || message_ == nullptr) throw Failure("the kernel image has no stb_run");
}

void ComputeUnit::write(std::uint64_t address, std::string_view bytes) {
  const std::size_t offset = offset_of(address, bytes.size());
  std::memcpy(registers_.data() + offset, bytes.data(), bytes.size());
  if (offset == 0 && !bytes.empty() && (bytes[0] & kStart) != 0) {
    if (state_ != State::kIdle) throw Failure("the host started a kernel that was still running");
    state_ = State::kStarted;
  }
}

std::string ComputeUnit::read(std::uint64_t address, std::uint64_t bytes) {
  const std::size_t offset = offset_of(address, bytes);
  if (offset == 0) {
    if (state_ == State::kStarted) run();
    if (state_ == State::kHanging) usleep(kHangingMicroseconds);
    registers_[0] = state_ == State::kIdle ? kDoneAndIdle : kStart;
  }
  return std::string(registers_.data() + offset, bytes);
}

std::size_t ComputeUnit::offset_of(std::uint64_t address, std::uint64_t bytes) const {
  const std::uint64_t offset = address - kernel_.base_address;
  if (offset >= kRegisterBytes || bytes > kRegisterBytes - offset) {
    throw Failure("the host touched a register of no kernel, at " + std::to_string(address));
  }
  return offset;
}

std::uint64_t ComputeUnit::value_of(const Argument& argument) const {
  std::uint64_t value = 0;
  std::memcpy(&value, registers_.data() + argument.offset, argument.bytes == 8 ? 8 : 4);
  return value;
}

// Several arguments may point to one buffer: `stb_pointers` tells which buffer each of them means.
void ComputeUnit::gather() {
  buffers_.clear();
  scalars_.clear();
  const int* place = pointers_ == nullptr ? nullptr : pointers_();
  for (const Argument& argument : kernel_.arguments) {
    const std::uint64_t value = value_of(argument);
    if (!argument.is_pointer) {
      scalars_.push_back(value);
      continue;
    }
    char* data = memory_.at(value, 1);
    const std::size_t index = place == nullptr ? buffers_.size() : static_cast<std::size_t>(*place++);
    if (index == buffers_.size()) buffers_.push_back(data);
    if (index >= buffers_.size() || buffers_[index] != data) {
      throw Failure("argument " + argument.name + " points to another buffer than the argument before it");
    }
  }
}

void ComputeUnit::run() {
  memory_.fill();
  gather();
  state_ = State::kIdle;
  if (run_image_(buffers_.data(), scalars_.data()) != 0) {
    state_ = State::kHanging;
    tell(message_());
  }
}

}  // namespace xrt_model
}  // namespace stb
