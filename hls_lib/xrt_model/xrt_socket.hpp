// The socket on which XRT's software emulation listens: bytes from XRT and to it.
#pragma once

#include <cstddef>
#include <string_view>

namespace stb {
namespace xrt_model {

class XrtSocket {
 public:
  // Connects to /tmp/$USER/$EMULATION_SOCKETID, which XRT may open a little later.
  XrtSocket();
  ~XrtSocket();
  XrtSocket(const XrtSocket&) = delete;
  XrtSocket& operator=(const XrtSocket&) = delete;

  // Waits for `bytes` bytes; false at the end of the stream.
  bool receive(void* data, std::size_t bytes);

  // False when XRT is gone.
  bool send_all(std::string_view text);

 private:
  int socket_;
};

}  // namespace xrt_model
}  // namespace stb
