// McpTransport: how frames get to a tool server and back. McpSink: who hears of them.
#pragma once

#include "policies/decide.hpp"
#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::tools {

namespace asio = boost::asio;

class McpSink {
 public:
  McpSink() = default;
  virtual ~McpSink() = default;
  McpSink(const McpSink&) = delete;
  McpSink& operator=(const McpSink&) = delete;

  virtual void on_frame(std::string_view frame) = 0;
  /// Request `id` will not be answered; others may be.
  virtual void on_failed(std::uint64_t id, Error why) = 0;
  /// Nothing is answered any more. `not_found`: the server has forgotten this session, and has not
  /// looked at the request.
  virtual void on_closed(Error why) = 0;
  [[nodiscard]] virtual bool awaits(std::uint64_t id) const = 0;
};

struct Outgoing {
  std::string frame;     ///< one line
  std::uint64_t id = 0;  ///< of a request of ours; 0 for what is not answered
};

/// Calls of the sink come from tasks of the transport's own, never from inside open() or send().
/// The sink may call send(), drop() and abort() from them.
class McpTransport {
 public:
  McpTransport() = default;
  virtual ~McpTransport() = default;
  McpTransport(const McpTransport&) = delete;
  McpTransport& operator=(const McpTransport&) = delete;

  /// Begins a conversation. `sink` outlives it; it is closed before another one is begun.
  virtual asio::awaitable<Result<>> open(McpSink& sink) = 0;
  /// Takes a frame for sending. `in_use` when too much waits to be sent.
  virtual Result<> send(Outgoing outgoing) = 0;
  /// Nobody waits for request `id` any more.
  virtual void drop(std::uint64_t id) = 0;
  /// What both sides speak, once it is known.
  virtual void set_version(std::string_view version) = 0;
  /// Ends everything without ceremony; close() then waits for it.
  virtual void abort() = 0;
  /// Ends the conversation as the protocol asks, or after a while without, and waits for its tasks.
  /// Nothing to do when there is none.
  virtual asio::awaitable<void> close() = 0;

  /// What a policy has to allow.
  [[nodiscard]] virtual policies::Request request() const = 0;
};

}  // namespace fathom::tools
