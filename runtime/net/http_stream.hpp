// HttpStream: one request and its response over one connection; the body is read as it arrives.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/net/byte_stream.hpp"
#include "runtime/net/connection_pool.hpp"
#include "runtime/net/deadlines.hpp"
#include "runtime/net/http_message.hpp"
#include "runtime/net/response_decoder.hpp"
#include "runtime/net/url.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::net {

/// Made by HttpClient::open, which it must not outlive. When the body was read to its end, the
/// connection goes back to the client's pool; in every other case (an error, a cancelled read,
/// destruction in the middle) it is closed.
class HttpStream {
 public:
  /// The most one read takes from the connection.
  static constexpr std::size_t kReadBytes = 64 * 1024;

  /// What kind of response is expected.
  struct Expected {
    BodyRule rule = BodyRule::by_headers;
    std::uint64_t body_bytes_max = 0;
  };

  HttpStream(ConnectionPool& pool, Origin origin, std::unique_ptr<ByteStream> connection,
             const Deadlines& deadlines, Expected expected);
  HttpStream(const HttpStream&) = delete;
  HttpStream& operator=(const HttpStream&) = delete;

  [[nodiscard]] unsigned status() const { return head_.status; }
  [[nodiscard]] const Headers& headers() const { return head_.headers; }

  /// The next piece of the body, as soon as there is one; empty at the end. After an error every
  /// later call fails alike.
  asio::awaitable<Result<std::string>> read_some();
  /// The rest of the body.
  asio::awaitable<Result<std::string>> read_all();

 private:
  friend class HttpClient;

  /// Sends the request and waits for the response's head.
  asio::awaitable<Result<>> exchange(std::string_view head, std::string_view body);
  /// True when the peer closed the connection and showed no sign of having seen the request.
  [[nodiscard]] bool was_unheard() const { return !decoder_.has_started(); }
  [[nodiscard]] bool has_sent_anything() const { return bytes_sent_ != 0; }

  asio::awaitable<Result<>> send(std::string_view head, std::string_view body);
  asio::awaitable<Result<>> receive_head();
  asio::awaitable<Result<>> receive(ByteStream& connection);
  void settle();

  ConnectionPool& pool_;
  Origin origin_;
  std::unique_ptr<ByteStream> connection_;  ///< nullptr once settled, broken or cancelled
  Deadlines deadlines_;
  ResponseDecoder decoder_;
  ResponseHead head_;
  std::vector<char> buffer_;
  std::uint64_t bytes_sent_ = 0;
  bool request_sent_ = false;
  std::optional<Error> failed_;
};

}  // namespace fathom::net
