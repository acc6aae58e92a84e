// ByteStream: a connection as HTTP sees it, whatever carries it (TCP, TLS, a test's script).
#pragma once

#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace fathom::net {

namespace asio = boost::asio;

/// One reader or writer at a time. Destruction closes the connection, at once and without a
/// farewell: HTTP's framing tells the peer whether the message was whole. Cancelling a call leaves
/// the stream fit only for destruction.
class ByteStream {
 public:
  ByteStream() = default;
  virtual ~ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  /// Waits for at least one byte. 0 when the peer will send no more.
  virtual asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) = 0;
  /// Writes at least one byte of `bytes`, which is not empty.
  virtual asio::awaitable<Result<std::size_t>> write_some(std::string_view bytes) = 0;
  /// For a connection between requests: open, and nothing to read. A peer that speaks out of turn
  /// is saying goodbye, or is broken; either way the connection is of no more use.
  [[nodiscard]] virtual bool is_quiet() = 0;
};

}  // namespace fathom::net
