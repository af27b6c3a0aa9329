#include "xrt_socket.hpp"

#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include "failure.hpp"

namespace stb {
namespace xrt_model {

namespace {

constexpr int kPatienceMilliseconds = 10000;
// A launch is four requests in a row, and to sleep and wake up between two takes longer than XRT does.
constexpr std::chrono::microseconds kAwake(50);

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw Failure(std::string(name) + " is not set");
  return value;
}

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Failure("XRT's socket has too long a path: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  for (int waited = 0; waited < kPatienceMilliseconds; ++waited) {
    const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return made;
    close(made);
    usleep(1000);
  }
  throw Failure("XRT does not listen at " + path);
}

// As recv, but stays awake for a moment before it sleeps.
ssize_t receive_some(int from, char* data, std::size_t bytes) {
  const auto asleep = std::chrono::steady_clock::now() + kAwake;
  do {
    const ssize_t got = recv(from, data, bytes, MSG_DONTWAIT);
    if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) return got;
    sched_yield();
  } while (std::chrono::steady_clock::now() < asleep);
  return recv(from, data, bytes, 0);
}

}  // namespace

XrtSocket::XrtSocket()
    : socket_(connect_to("/tmp/" + environment("USER") + "/" + environment("EMULATION_SOCKETID"))) {}

XrtSocket::~XrtSocket() { close(socket_); }

bool XrtSocket::receive(void* data, std::size_t bytes) {
  char* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = receive_some(socket_, at, bytes);
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

bool XrtSocket::send_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace xrt_model
}  // namespace stb
