#include "runtime/net/server_answer.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/net/refusal.hpp"

#include <array>
#include <charconv>

namespace fathom::net {

asio::awaitable<void> ServerAnswer::write_or_unwind(ServerSocket::Pieces pieces) {
  if (co_await socket_.write(pieces)) co_return;
  state_ = State::broken;
  throw_cancelled();
}

HeadFacts ServerAnswer::head_facts(const HttpResponse& response, Framing framing) {
  ENSURE(response.status >= 200, "an answer is final; 100 Continue is the server's own");
  if (equal_ignoring_case(response.headers.get("Connection"), "close") ||
      framing == Framing::until_close || context_.draining)
    facts_.persistence = Persistence::close;
  return {is_bodiless(response.status) ? Framing::none : framing, response.body.size(),
          facts_.persistence, facts_.http_1_0, context_.date.at(context_.clock.wall_now())};
}

asio::awaitable<void> ServerAnswer::send(HttpResponse response) {
  ENSURE(is_unanswered(), "a request is answered once");
  state_ = State::sent;
  const HeadFacts facts = head_facts(response, Framing::length);
  const std::string head = response_head(response, facts);
  const bool has_body = facts.framing != Framing::none && !facts_.is_head;
  ServerSocket::Pieces pieces{head,
                              has_body ? std::string_view(response.body) : std::string_view()};
  co_await write_or_unwind(pieces);
}

asio::awaitable<void> ServerAnswer::start(HttpResponse head) {
  ENSURE(is_unanswered(), "a request is answered once");
  ENSURE(head.body.empty(), "the body of a stream is written piece by piece");
  state_ = State::streaming;
  stream_framing_ = facts_.http_1_0 ? Framing::until_close : Framing::chunked;
  const HeadFacts facts = head_facts(head, stream_framing_);
  stream_framing_ = facts.framing;
  const std::string bytes = response_head(head, facts);
  ServerSocket::Pieces pieces{bytes};
  co_await write_or_unwind(pieces);
}

asio::awaitable<void> ServerAnswer::write(std::string_view piece) {
  ENSURE(state_ == State::streaming, "start() comes before write()");
  // An empty chunk would end the stream.
  if (piece.empty() || facts_.is_head || stream_framing_ == Framing::none) co_return;
  ServerSocket::Pieces pieces{piece};
  std::array<char, 20> size{};
  if (stream_framing_ == Framing::chunked) {
    char* end = std::to_chars(size.data(), size.data() + 16, piece.size(), 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    pieces = {std::string_view(size.data(), end), piece, "\r\n"};
  }
  co_await write_or_unwind(pieces);
}

asio::awaitable<WebSocket*> ServerAnswer::upgrade(const HttpRequest& request,
                                                  WebSocketOptions options) {
  ENSURE(is_unanswered(), "a request is answered once");
  auto subprotocol = check_handshake(request, options.subprotocols);
  if (!subprotocol) {
    HttpResponse refused = to_response(subprotocol.error());
    co_await send(std::move(refused));
    co_return nullptr;
  }
  state_ = State::upgraded;
  slot_.websocket = std::make_unique<WebSocket>(socket_, context_.clock, std::move(options));
  slot_.websocket->accept(request, *std::move(subprotocol));
  slot_.tasks.spawn(slot_.websocket->run_writer());
  co_return slot_.websocket.get();
}

asio::awaitable<void> ServerAnswer::finish(HandlerEnd end) {
  const bool failed = end == HandlerEnd::failed;
  if (state_ == State::unanswered) {
    facts_.persistence = Persistence::close;
    const Refusal why{500,
                      "internal_error",
                      failed ? "the handler of this request failed"
                             : "the handler of this request gave no answer",
                      {}};
    co_await send(to_response(why));
  } else if (state_ == State::streaming && !failed) {
    if (stream_framing_ == Framing::chunked && !facts_.is_head) {
      ServerSocket::Pieces end_of_chunks{"0\r\n\r\n"};
      co_await write_or_unwind(end_of_chunks);
    }
    state_ = State::sent;
  } else if (state_ == State::upgraded) {
    co_await slot_.websocket->finish(failed ? CloseCode::internal_error : CloseCode::normal);
  }
  if (!failed) co_return;
  // Where only the end of the connection marks the end of the body, a proper end would be a lie.
  if (state_ == State::streaming && stream_framing_ == Framing::until_close) socket_.abandon();
  state_ = State::broken;
}

}  // namespace fathom::net
