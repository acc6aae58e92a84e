#include "runtime/net/http_stream.hpp"

#include <utility>

namespace fathom::net {
namespace {

// After the timeout of sending: an answer that waits to be read needs none of it, and a server that
// has none must not cost more.
constexpr Duration kLateAnswerTimeout = std::chrono::seconds(1);

}  // namespace

HttpStream::HttpStream(ConnectionPool& pool, Origin origin, std::unique_ptr<ByteStream> connection,
                       const Deadlines& deadlines, Expected expected)
    : pool_(pool),
      origin_(std::move(origin)),
      connection_(std::move(connection)),
      deadlines_(deadlines),
      decoder_(expected.rule, expected.body_bytes_max),
      buffer_(kReadBytes) {}

asio::awaitable<Result<>> HttpStream::exchange(std::string_view head, std::string_view body) {
  auto sending = send(head, body);
  Result<> sent = co_await deadlines_.run(Phase::send, std::move(sending));
  // When sending fails, there may still be an answer: a server that refuses a large request (413,
  // 401) says so while the body is on its way, and then closes or just reads no further. Only
  // without one is the failure to send what there is to report.
  const bool late = !sent && sent.error().code == ErrorCode::timeout;
  if (!sent && !late && sent.error().code != ErrorCode::network) co_return sent;
  auto receiving = receive_head();
  auto waiting = late ? with_timeout(deadlines_.clock(), kLateAnswerTimeout, "late answer",
                                     std::move(receiving))
                      : deadlines_.run(Phase::head, std::move(receiving));
  Result<> received = co_await std::move(waiting);
  if (!received) co_return sent ? std::move(received) : std::move(sent);
  head_ = decoder_.take_head();
  settle();
  co_return Result<>();
}

asio::awaitable<Result<>> HttpStream::send(std::string_view head, std::string_view body) {
  for (std::string_view rest : {head, body}) {
    while (!rest.empty()) {
      CO_TRY(const std::size_t sent, co_await connection_->write_some(rest));
      bytes_sent_ += sent;
      rest.remove_prefix(sent);
    }
  }
  request_sent_ = true;
  co_return Result<>();
}

asio::awaitable<Result<>> HttpStream::receive_head() {
  while (!decoder_.has_head()) CO_TRY_VOID(co_await receive(*connection_));
  co_return Result<>();
}

asio::awaitable<Result<>> HttpStream::receive(ByteStream& connection) {
  CO_TRY(const std::size_t size, co_await connection.read_some(buffer_));
  if (size == 0) co_return decoder_.end_of_input();
  co_return decoder_.feed({buffer_.data(), size});
}

asio::awaitable<Result<std::string>> HttpStream::read_some() {
  std::string piece = decoder_.take_body();
  while (piece.empty() && !failed_ && !decoder_.is_done()) {
    // While it is read from, the connection belongs to this frame: a cancelled reader unwinds it,
    // which closes it.
    std::unique_ptr<ByteStream> connection = std::move(connection_);
    if (!connection)
      co_return fail(ErrorCode::network,
                     origin_.host_port() + ": the response was abandoned by a cancelled read");
    auto receiving = receive(*connection);
    Result<> received = co_await deadlines_.run(Phase::body, std::move(receiving));
    if (received) {
      connection_ = std::move(connection);
    } else {
      failed_ = context(origin_.host_port(), std::move(received).error());
    }
    // What arrived whole before the failure is still delivered; the failure is the next call's
    // answer.
    piece = decoder_.take_body();
  }
  settle();
  if (piece.empty() && failed_) co_return fail(*failed_);
  co_return std::move(piece);
}

asio::awaitable<Result<std::string>> HttpStream::read_all() {
  std::string body;
  for (;;) {
    CO_TRY(const std::string piece, co_await read_some());
    if (piece.empty()) co_return std::move(body);
    body += piece;  // bounded by the decoder
  }
}

void HttpStream::settle() {
  if (!connection_ || !decoder_.is_done()) return;
  // A server may answer before it read the whole request: then the rest of it would be the next
  // request's head.
  if (request_sent_ && decoder_.is_reusable()) pool_.put(origin_, std::move(connection_));
  connection_.reset();
}

}  // namespace fathom::net
