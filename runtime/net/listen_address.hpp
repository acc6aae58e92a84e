// Where a server listens, as a person writes it.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::net {

struct ListenAddress {
  enum class Kind : std::uint8_t { tcp, unix_socket };

  Kind kind = Kind::tcp;
  std::string host = "127.0.0.1";  ///< canonical text of an IP address, IPv6 without brackets
  std::uint16_t port = 0;          ///< 0 asks the kernel for a free one
  std::string path;                ///< of the unix socket

  /// `127.0.0.1:8420`, `localhost:8420`, `[::1]:0` or `unix:PATH`. Other host names are refused:
  /// what a server is reachable by must not depend on a name service.
  static Result<ListenAddress> parse(std::string_view text);

  /// The form parse() reads.
  [[nodiscard]] std::string to_string() const;
  /// True when only this machine can reach it.
  [[nodiscard]] bool is_local() const;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

}  // namespace fathom::net
