// The device process of XRT's software emulation (`genericpciemodel`): serves XRT's messages over a socket.
//
// XRT (2.13 to 2.25) starts it and listens at /tmp/$USER/$EMULATION_SOCKETID. A request is 09 <u64 bytes>
// 15 <u32 function> and a protobuf message, an answer 09 <u64 bytes> and one. It ends with XRT's process.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "compute_unit.hpp"
#include "device_memory.hpp"
#include "failure.hpp"
#include "wire.hpp"

namespace stb {
namespace xrt_model {

namespace {

// XRT's numbers of functions (xcl_macros.h).
enum Function : std::uint32_t {
  kClose = 1,
  kLoadBitstream = 3,
  kAllocate = 4,
  kFree = 5,
  kHostToDevice = 6,
  kDeviceToHost = 7,
  kWriteRegisters = 9,
  kReadRegisters = 11,
  kSetupInstance = 28,
  kWriteRegister = 51,
  kReadRegister = 52,
  kDriverVersion = 53,
};

#pragma pack(push, 1)
struct RequestHead {
  char size_key;
  std::uint64_t bytes;
  char function_key;
  std::uint32_t function;
};
struct AnswerHead {
  char size_key;
  std::uint64_t bytes;
};
#pragma pack(pop)

constexpr int kPatienceMilliseconds = 10000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw Failure(std::string(name) + " is not set");
  return value;
}

int connect_to_xrt() {
  const std::string path = "/tmp/" + environment("USER") + "/" + environment("EMULATION_SOCKETID");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Failure("XRT's socket has too long a path: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  for (int waited = 0; waited < kPatienceMilliseconds; ++waited) {
    const int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return socket_fd;
    close(socket_fd);
    usleep(1000);
  }
  throw Failure("XRT does not listen at " + path);
}

// False at the end of the stream.
bool receive(int from, void* data, std::size_t bytes) {
  char* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = recv(from, at, bytes, 0);
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

bool send_all(int to, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(to, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

class Card {
 public:
  DeviceMemory& memory() { return memory_; }

  // The answer to one request.
  std::string answer(std::uint32_t function, const Message& request) {
    std::string text;
    switch (function) {
      case kLoadBitstream:
        unit_ = std::make_unique<ComputeUnit>(read_host_kernel(std::string(request.bytes(1))),
                                              std::string(request.bytes(2)), memory_);
        break;
      case kAllocate: {
        const std::string host_view = memory_.allocate(request.number(1), request.number(2));
        append(text, 1, 1);
        append(text, 2, host_view);
        return text;
      }
      case kFree:
        memory_.release(request.number(1));
        break;
      case kDeviceToHost: {
        const std::uint64_t bytes = request.number(5);
        append(text, 1, bytes);
        append(text, 2, std::string_view(memory_.at(request.number(4), bytes), bytes));
        return text;
      }
      case kWriteRegisters:
        unit().write(request.number(2), request.bytes(4));
        break;
      case kWriteRegister:
        unit().write(request.number(1) + request.number(2), request.bytes(3));
        break;
      case kReadRegisters:
        append(text, 1, 1);
        append(text, 2, unit().read(request.number(2), request.number(3)));
        return text;
      case kReadRegister:
        append(text, 1, 1);
        append(text, 2, unit().read(request.number(1) + request.number(2), request.number(3)));
        return text;
      case kClose:
      case kSetupInstance:
      case kDriverVersion:
        break;
      default:
        throw Failure("XRT called function " + std::to_string(function) + ", which this model does not know");
    }
    append(text, 1, 1);  // "acknowledged", "valid" or "success"
    return text;
  }

 private:
  ComputeUnit& unit() {
    if (unit_ == nullptr) throw Failure("the host touched a register before it loaded an xclbin");
    return *unit_;
  }

  DeviceMemory memory_;
  std::unique_ptr<ComputeUnit> unit_;
};

bool closes_all(std::uint32_t function, const Message& request) {
  return function == kClose && request.number(3) != 0;
}

// Where the data of a sync lie in its message, and where they belong.
struct Sync {
  std::uint64_t address;
  std::uint64_t bytes;
  std::uint64_t at;
};

// Reads the fields in front of the data: a handle, the address, the number of bytes.
Sync read_sync(std::string_view front) {
  std::string_view text = front;
  Sync sync{};
  for (std::uint64_t key = take_varint(text);; key = take_varint(text)) {
    if (key == (4 << 3 | 2)) {
      sync.bytes = take_varint(text);
      sync.at = front.size() - text.size();
      return sync;
    }
    const std::uint64_t value = take_varint(text);
    if (key == 3 << 3) sync.address = value;
    if ((key & 7) == 2) take(text, value);
  }
}

// Most bytes that XRT sends are those of syncs: they go from the socket to the card's memory at once.
bool receive_sync(int xrt, std::uint64_t bytes, Card& card, std::string& text) {
  char front[64];
  const std::uint64_t begun = std::min<std::uint64_t>(bytes, sizeof front);
  if (!receive(xrt, front, begun)) return false;
  const Sync sync = read_sync({front, begun});
  char* data = card.memory().written(sync.address, sync.bytes);
  const std::uint64_t have = std::min(begun - sync.at, sync.bytes);
  std::memcpy(data, front + sync.at, have);
  if (!receive(xrt, data + have, sync.bytes - have)) return false;
  char rest[sizeof front];
  const std::uint64_t left = bytes - begun - (sync.bytes - have);
  if (left > sizeof rest) throw Failure("XRT sent a sync of another form than its versions 2.13 to 2.25");
  append(text, 1, sync.bytes);
  return receive(xrt, rest, left);
}

// Until XRT closes the device or is gone.
void serve(int xrt) {
  Card card;
  std::string body;
  RequestHead head;
  while (receive(xrt, &head, sizeof head)) {
    std::string text;
    body.clear();
    if (head.function == kHostToDevice) {
      if (!receive_sync(xrt, head.bytes, card, text)) return;
    } else {
      body.resize(head.bytes);
      if (!receive(xrt, body.data(), body.size())) return;
      text = card.answer(head.function, Message(body));
    }
    const AnswerHead answer{9, text.size()};
    const std::string front(reinterpret_cast<const char*>(&answer), sizeof answer);
    if (!send_all(xrt, front + text) || closes_all(head.function, Message(body))) return;
  }
}

}  // namespace

}  // namespace xrt_model
}  // namespace stb

int main() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    stb::xrt_model::serve(stb::xrt_model::connect_to_xrt());
  } catch (const stb::xrt_model::Failure& failure) {
    stb::xrt_model::tell(failure.what());
    raise(SIGKILL);  // XRT notices only children that were killed; at the end of a stream it spins
  }
  std::_Exit(0);
}
