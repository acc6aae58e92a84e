// ConnectionPool: connections between two requests, kept for the next one to the same origin.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/net/byte_stream.hpp"
#include "runtime/net/url.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

namespace fathom::net {

struct PoolLimits {
  std::size_t idle_max = 32;  ///< 0 keeps none
  std::size_t idle_per_origin_max = 8;
  /// Shorter than what servers and middleboxes usually allow, so that most connections are closed
  /// by us.
  Duration idle_timeout = std::chrono::seconds(60);
};

/// Only whole, quiet connections come in here; one that is in the middle of a message is closed by
/// whoever holds it. Expired ones are closed whenever the pool is used: an unused pool holds at
/// most `idle_max` open sockets.
class ConnectionPool {
 public:
  ConnectionPool(Clock& clock, PoolLimits limits) : clock_(clock), limits_(limits) {}
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  /// The connection to `origin` that was used last and is still quiet, or nullptr. Dead ones it
  /// meets are closed.
  std::unique_ptr<ByteStream> take(const Origin& origin);
  /// Keeps `connection`; the oldest ones make room for it.
  void put(Origin origin, std::unique_ptr<ByteStream> connection);

  [[nodiscard]] std::size_t size() const { return idle_.size(); }
  void clear() { idle_.clear(); }

 private:
  struct Idle {
    Origin origin;
    std::unique_ptr<ByteStream> connection;
    Instant since;
  };
  void close_expired();

  Clock& clock_;
  PoolLimits limits_;
  std::vector<Idle> idle_;  ///< in the order they came in
};

}  // namespace fathom::net
