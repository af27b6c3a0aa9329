// The messages of XRT's software emulation: protobuf's wire format, as far as they use it.
// Encoding: protobuf.dev/programming-guides/encoding; messages: rpc_messages.proto of XRT.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"

namespace stb {
namespace xrt_model {

inline std::string_view take(std::string_view& text, std::uint64_t bytes) {
  if (bytes > text.size()) throw Failure("XRT sent a message that was cut off");
  const std::string_view taken = text.substr(0, bytes);
  text.remove_prefix(bytes);
  return taken;
}

template <typename T>
T take_fixed(std::string_view& text) {
  T value;
  std::memcpy(&value, take(text, sizeof value).data(), sizeof value);
  return value;
}

inline std::uint64_t take_varint(std::string_view& text) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(take(text, 1)[0]);
    value |= static_cast<std::uint64_t>(byte & 127) << shift;
    if (byte < 128) break;
  }
  return value;
}

// The fields of a message that has come in; `bytes` point into the text that it was made from.
class Message {
 public:
  explicit Message(std::string_view text) {
    while (!text.empty()) fields_.push_back(take_field(text));
  }

  // The number in field `id`, 0 without one.
  std::uint64_t number(int id) const {
    for (const Field& field : fields_) {
      if (field.id == id) return field.number;
    }
    return 0;
  }

  std::string_view bytes(int id) const {
    for (const Field& field : fields_) {
      if (field.id == id) return field.bytes;
    }
    return {};
  }

 private:
  struct Field {
    int id;
    std::uint64_t number;
    std::string_view bytes;
  };

  static Field take_field(std::string_view& text) {
    const std::uint64_t key = take_varint(text);
    Field field{static_cast<int>(key >> 3), 0, {}};
    switch (key & 7) {
      case 0:
        field.number = take_varint(text);
        break;
      case 1:
        field.number = take_fixed<std::uint64_t>(text);
        break;
      case 2:
        field.bytes = take(text, take_varint(text));
        break;
      case 5:
        field.number = take_fixed<std::uint32_t>(text);
        break;
      default:
        throw Failure("XRT sent a message that is no protobuf");
    }
    return field;
  }

  std::vector<Field> fields_;
};

inline void append_varint(std::string& text, std::uint64_t value) {
  for (; value > 127; value >>= 7) text += static_cast<char>(value | 128);
  text += static_cast<char>(value);
}

inline void append(std::string& text, int id, std::uint64_t number) {
  append_varint(text, static_cast<std::uint64_t>(id) << 3);
  append_varint(text, number);
}

inline void append(std::string& text, int id, std::string_view bytes) {
  append_varint(text, static_cast<std::uint64_t>(id) << 3 | 2);
  append_varint(text, bytes.size());
  text += bytes;
}

}  // namespace xrt_model
}  // namespace stb
