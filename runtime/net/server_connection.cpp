// A connection is one task: read a header, check it, read the body, run the handler, again. While a
// handler runs nobody reads, so pipelined requests wait in the kernel and answers keep their order
// by themselves.
//
// Who notices that the client left? A pending read would, but it costs a system call a request and
// takes pipelined bytes that are not its business. So the sweep asks the kernel (poll, POLLRDHUP)
// about connections whose handler runs at that moment: most have answered long before, and pay
// nothing.
//
// The end of the client's bytes alone does not say that it left: `shutdown(SHUT_WR)` after the
// request is legal, and such a client waits for its answer. Over a unix socket the kernel tells the
// two apart. Over TCP both are the same FIN, and only sending shows the difference: so a
// half-closed client is sent one `100 Continue`, which HTTP/1.1 lets us send at any time before the
// answer and every client skips. If it has closed, its kernel answers with a reset, which the next
// sweep sees, and the handler is cancelled. Not asked are HTTP/1.0 clients (they know no 100) and
// clients that already get a stream, whose next piece is the same question.
#include "runtime/net/server_connection.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/base/text.hpp"
#include "runtime/net/server_answer.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace fathom::net {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t kBodyReadBytes =
    64 << 10;  ///< a read of a body; also the bound of a chunk's header
constexpr std::size_t kLingerBytesMax = 1 << 20;  ///< read and thrown away after the last answer
constexpr std::size_t kWhyBytesMax = 500;
constexpr const char* kRetryAfterSeconds = "1";

std::string what(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return to_printable(clip_prefix(e.what(), kWhyBytesMax));
  } catch (...) {
    return "an exception of unknown type";
  }
}

Refusal overloaded(std::string message) {
  return {503, "overloaded", std::move(message), {{"Retry-After", kRetryAfterSeconds}}};
}

}  // namespace

ServerConnection::ServerConnection(ServerSocket::Socket socket, ServerContext& context)
    : context_(context),
      socket_(std::move(socket), context.clock, context.options.write_stall_timeout),
      parser_(context.options.header_bytes_max, context.options.body_bytes_max),
      tasks_(context.executor) {}

ServerConnection::~ServerConnection() { account_body(0); }

asio::awaitable<void> ServerConnection::run(Admission admission) {
  tasks_.spawn(admission == Admission::served ? serve() : refuse());
  co_await tasks_.join();
}

asio::awaitable<void> ServerConnection::refuse() {
  phase_ = Phase::closing;
  ServerAnswer answer(socket_, context_, {.persistence = Persistence::close}, {websocket_, tasks_});
  co_await answer.send(to_response(overloaded("too many connections; try again soon")));
  co_await linger();
}

asio::awaitable<void> ServerConnection::serve() {
  for (bool keep_alive = true; keep_alive;) {
    parser_.reset();
    refusal_.reset();
    account_body(0);
    if (!co_await read_head()) co_return;
    if (!refusal_) refusal_ = check_access();
    if (!refusal_ && !co_await read_body()) co_return;

    ++requests_;
    const bool is_last = !parser_.keep_alive() ||
                         requests_ == context_.options.requests_per_connection_max ||
                         parser_.state() != RequestParser::State::complete;
    ServerAnswer answer(socket_, context_,
                        {.http_1_0 = parser_.http_1_0(),
                         .is_head = parser_.request().method == "HEAD",
                         .persistence = is_last ? Persistence::close : Persistence::keep_alive},
                        {websocket_, tasks_});
    if (refusal_) {
      co_await answer.send(to_response(*refusal_));
    } else {
      co_await handle(answer);
    }
    keep_alive = answer.keeps_alive();
  }
  co_await linger();
}

/// Reads once and gives the parser what there is. False when nothing more will come; refusal_ then
/// says whether that deserves an answer.
asio::awaitable<bool> ServerConnection::feed(Instant deadline, std::size_t bytes_max) {
  socket_.set_read_deadline(deadline);
  const ServerSocket::Read outcome = co_await socket_.read(bytes_max);
  socket_.set_read_deadline(Instant::max());
  switch (outcome) {
    case ServerSocket::Read::data:
      co_return true;
    case ServerSocket::Read::end:
      refusal_ = Refusal{400, "bad_request", "the request is incomplete", {}};
      break;
    case ServerSocket::Read::interrupted:
      refusal_ = Refusal{408, "request_timeout", "the request took too long to arrive", {}};
      break;
    case ServerSocket::Read::full:
      refusal_ = Refusal{400, "bad_request", "malformed request: a chunk's header is too long", {}};
      break;
    case ServerSocket::Read::failed:
      break;
  }
  co_return false;
}

/// False when the connection ends without an answer. Otherwise the header is complete, or refusal_
/// is set.
asio::awaitable<bool> ServerConnection::read_head() {
  const ServerOptions& options = context_.options;
  ReceiveBuffer& received = socket_.received();
  Instant deadline = Instant::max();
  for (;;) {
    // Empty lines before a request are tolerated (RFC 9112 §2.2).
    while (received.view().starts_with("\r\n")) received.consume(2);
    if (!received.empty()) {
      received.consume(parser_.put(received.view()));
      if (parser_.state() != RequestParser::State::head) break;
    }
    phase_ = received.empty() ? Phase::idle : Phase::reading;
    if (phase_ == Phase::idle && context_.draining) co_return false;
    if (phase_ == Phase::reading && deadline == Instant::max())
      deadline = context_.clock.now() + options.header_timeout;
    const Duration silence = requests_ == 0 ? options.header_timeout : options.idle_timeout;
    const Instant until = phase_ == Phase::idle ? context_.clock.now() + silence : deadline;
    if (!co_await feed(until, options.header_bytes_max)) {
      const bool was_idle = std::exchange(phase_, Phase::reading) == Phase::idle;
      co_return !was_idle && refusal_.has_value();
    }
  }
  phase_ = Phase::reading;
  if (parser_.state() == RequestParser::State::refused) refusal_ = parser_.refusal();
  co_return true;
}

/// Until when the next piece of a body that began to arrive at `began` must come.
Instant ServerConnection::body_deadline(Instant began) const {
  const ServerOptions& options = context_.options;
  const std::chrono::seconds earned(body_bytes_ / options.body_bytes_per_second_min);
  return std::min(context_.clock.now(), began + earned) + options.body_progress_timeout;
}

asio::awaitable<bool> ServerConnection::read_body() {
  const Instant began = context_.clock.now();
  ReceiveBuffer& received = socket_.received();
  bool may_ask = parser_.expects_continue();
  while (parser_.state() == RequestParser::State::body) {
    if (!received.empty()) {
      received.consume(parser_.put(received.view()));
      if (!account_body(parser_.request().body.size())) {
        refusal_ = overloaded("too many large requests; try again soon");
        co_return true;
      }
      if (parser_.state() != RequestParser::State::body) break;
    }
    if (std::exchange(may_ask, false) && received.empty()) {
      ServerSocket::Pieces pieces{kContinue};
      if (!co_await socket_.write(pieces)) co_return false;
    }
    if (!co_await feed(body_deadline(began), kBodyReadBytes)) co_return refusal_.has_value();
  }
  if (parser_.state() == RequestParser::State::refused) refusal_ = parser_.refusal();
  co_return true;
}

std::optional<Refusal> ServerConnection::check_access() const {
  const HttpRequest& request = parser_.request();
  if (auto refusal = check_origin(context_.access, request)) return refusal;
  if (context_.access.token.empty()) return std::nullopt;
  if (context_.options.is_public && context_.options.is_public(request)) return std::nullopt;
  return check_token(context_.access, request);
}

/// Notes how much of a body is held. False when all bodies together are too large.
bool ServerConnection::account_body(std::size_t bytes) {
  context_.bodies_bytes += bytes - body_bytes_;
  body_bytes_ = bytes;
  return context_.bodies_bytes <= context_.options.bodies_bytes_max;
}

asio::awaitable<void> ServerConnection::handle(ServerAnswer& answer) {
  struct Handling {
    ServerConnection& connection;
    ~Handling() {
      connection.answer_ = nullptr;
      connection.phase_ = Phase::closing;
    }
  } const handling{*this};
  probed_ = false;
  answer_ = &answer;
  phase_ = Phase::handling;
  std::exception_ptr error;
  try {
    co_await context_.handler(parser_.take(), answer);
  } catch (...) {
    error = std::current_exception();  // a handler's failure is one client's, not the server's
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool stopped = state.cancelled() != asio::cancellation_type::none || socket_.gone();
  // A handler that was stopped unwinds as cancelled. Any other error is a failure of its own, also
  // when nobody is left to be told.
  const bool failed = error && !(stopped && is_cancellation(error));
  if (failed && context_.options.on_handler_failed) context_.options.on_handler_failed(what(error));
  if (stopped) throw_cancelled();
  co_await answer.finish(error ? ServerAnswer::HandlerEnd::failed
                               : ServerAnswer::HandlerEnd::returned);
}

/// Closing with unread bytes in the kernel sends a reset, and a reset can overtake the answer: so
/// we close our side, and the rest after the client has closed its own.
asio::awaitable<void> ServerConnection::linger() {
  phase_ = Phase::closing;
  socket_.shutdown_write();
  ReceiveBuffer& received = socket_.received();
  const Instant deadline = context_.clock.now() + context_.options.linger_timeout;
  for (std::size_t bytes = 0; bytes < kLingerBytesMax;) {
    bytes += received.view().size();
    received.consume(received.view().size());
    socket_.set_read_deadline(deadline);
    if (co_await socket_.read(kBodyReadBytes) != ServerSocket::Read::data) co_return;
  }
}

void ServerConnection::on_sweep(Instant now) {
  socket_.on_sweep(now);
  if (socket_.gone()) return cancel();
  if (websocket_) websocket_->on_sweep(now);
  if (phase_ == Phase::handling) look_for_peer();
}

void ServerConnection::look_for_peer() {
  const ServerSocket::Peer peer = socket_.peer();
  if (peer == ServerSocket::Peer::gone) return cancel();
  if (peer != ServerSocket::Peer::half_closed || probed_ || !socket_.is_tcp()) return;
  if (!answer_ || !answer_->is_unanswered() || answer_->facts().http_1_0) return;
  probed_ = socket_.send_if_quiet(kContinue);
}

void ServerConnection::on_drain() {
  if (phase_ == Phase::idle) socket_.interrupt();
  if (websocket_)
    tasks_.spawn(websocket_->close(CloseCode::going_away, "the server is shutting down"));
}

}  // namespace fathom::net
