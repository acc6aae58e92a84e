// ServerAnswer: the Responder of one request on one connection.
#pragma once

#include "runtime/async/task_group.hpp"
#include "runtime/net/server_context.hpp"
#include "runtime/net/server_socket.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <exception>
#include <memory>

namespace fathom::net {

class ServerAnswer final : public Responder {
 public:
  /// What of the request decides how it is answered.
  struct Facts {
    bool http_1_0 = false;
    bool is_head = false;
    Persistence persistence = Persistence::keep_alive;
  };
  /// Where an upgrade leaves its WebSocket and the task that writes for it.
  struct UpgradeSlot {
    std::unique_ptr<WebSocket>& websocket;
    TaskGroup& tasks;
  };

  ServerAnswer(ServerSocket& socket, ServerContext& context, Facts facts, UpgradeSlot slot)
      : socket_(socket), context_(context), facts_(facts), slot_(slot) {}

  asio::awaitable<void> send(HttpResponse response) override;
  asio::awaitable<void> start(HttpResponse head) override;
  asio::awaitable<void> write(std::string_view piece) override;
  asio::awaitable<WebSocket*> upgrade(const HttpRequest& request,
                                      WebSocketOptions options) override;

  /// After the handler: ends a stream, closes a WebSocket, answers 500 where nothing was sent.
  enum class HandlerEnd : std::uint8_t { returned, failed };
  asio::awaitable<void> finish(HandlerEnd end);

  /// Nothing was sent yet.
  [[nodiscard]] bool is_unanswered() const { return state_ == State::unanswered; }
  [[nodiscard]] const Facts& facts() const { return facts_; }
  /// Whether the connection can carry another request after this.
  [[nodiscard]] bool keeps_alive() const {
    return state_ == State::sent && facts_.persistence == Persistence::keep_alive;
  }

 private:
  enum class State : std::uint8_t { unanswered, streaming, sent, upgraded, broken };

  asio::awaitable<void> write_or_unwind(ServerSocket::Pieces pieces);
  HeadFacts head_facts(const HttpResponse& response, Framing framing);

  ServerSocket& socket_;
  ServerContext& context_;
  Facts facts_;
  UpgradeSlot slot_;
  State state_ = State::unanswered;
  Framing stream_framing_ = Framing::chunked;
};

}  // namespace fathom::net
