// WebSocket frames as bytes (RFC 6455 §5.2), written here by hand: the tests' own opinion of the
// protocol.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::test {

enum class Opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};
enum class Fin : std::uint8_t { no = 0, yes = 0x80 };

/// The opcode's byte and the length: what a frame from the server begins with.
inline std::string frame_start(Opcode opcode, std::size_t size, Fin fin, std::uint8_t mask_bit) {
  std::string out(
      1, static_cast<char>(static_cast<std::uint8_t>(fin) | static_cast<std::uint8_t>(opcode)));
  const auto append = [&](std::size_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>((value >> (8 * i)) & 0xff);
  };
  if (size < 126) {
    append(mask_bit | size, 1);
  } else if (size < 65536) {
    append(mask_bit | 126U, 1);
    append(size, 2);
  } else {
    append(mask_bit | 127U, 1);
    append(size, 8);
  }
  return out;
}

/// As the server sends it.
inline std::string server_frame(Opcode opcode, std::string_view payload) {
  return frame_start(opcode, payload.size(), Fin::yes, 0) + std::string(payload);
}

/// As a client sends it: masked.
inline std::string client_frame(Opcode opcode, std::string_view payload, Fin fin = Fin::yes) {
  constexpr std::string_view kMask = "\x12\x34\x56\x78";
  std::string out = frame_start(opcode, payload.size(), fin, 0x80) + std::string(kMask);
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ kMask[i % 4]);
  return out;
}

/// A close frame's payload.
inline std::string close_payload(std::uint16_t code, std::string_view reason = "") {
  std::string out;
  out += static_cast<char>(code >> 8);
  out += static_cast<char>(code & 0xff);
  return out + std::string(reason);
}

}  // namespace fathom::test
