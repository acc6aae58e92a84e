// ServerConnection: the life of one accepted connection, request after request.
#pragma once

#include "runtime/async/task_group.hpp"
#include "runtime/net/request_parser.hpp"
#include "runtime/net/server_context.hpp"
#include "runtime/net/server_socket.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <optional>

namespace fathom::net {

class ServerAnswer;

class ServerConnection {
 public:
  ServerConnection(ServerSocket::Socket socket, ServerContext& context);
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  enum class Admission : std::uint8_t {
    served,
    refused,  ///< gets 503, whatever it asks
  };
  /// Runs until either side is done. Throws only as cancelled.
  asio::awaitable<void> run(Admission admission);

  /// Enforces deadlines and looks for a client that left.
  void on_sweep(Instant now);
  /// Closes when idle; otherwise the request in progress is the last.
  void on_drain();
  /// Ends run() soon, whatever it is doing.
  void cancel() { tasks_.cancel(); }

 private:
  enum class Phase : std::uint8_t {
    idle,      ///< between requests, and nothing received
    reading,   ///< a request
    handling,  ///< a handler runs
    closing,
  };

  asio::awaitable<void> refuse();
  asio::awaitable<void> serve();
  asio::awaitable<bool> read_head();
  asio::awaitable<bool> read_body();
  asio::awaitable<bool> feed(Instant deadline, std::size_t bytes_max);
  asio::awaitable<void> handle(ServerAnswer& answer);
  asio::awaitable<void> linger();
  [[nodiscard]] std::optional<Refusal> check_access() const;
  bool account_body(std::size_t bytes);
  [[nodiscard]] Instant body_deadline(Instant began) const;
  void look_for_peer();

  ServerContext& context_;
  ServerSocket socket_;
  RequestParser parser_;
  std::optional<Refusal> refusal_;  ///< of the current request
  Phase phase_ = Phase::idle;
  std::size_t requests_ = 0;
  std::size_t body_bytes_ = 0;      ///< our part of the context's bodies_bytes
  bool probed_ = false;             ///< whether a half-closed peer was asked if it still listens
  ServerAnswer* answer_ = nullptr;  ///< of the handler that runs
  std::unique_ptr<WebSocket> websocket_;  ///< outlives every task that uses it
  TaskGroup tasks_;  ///< the serving task, a WebSocket's writer, and its closing on drain
};

}  // namespace fathom::net
