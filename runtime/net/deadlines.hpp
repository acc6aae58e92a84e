// Deadlines: how long each phase of one HTTP call may take. A timeout's error names its phase:
// "timed out" alone does not say whether to look at the name server, the firewall, the certificate
// or the model.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/timeout.hpp"
#include "runtime/base/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace fathom::net {

enum class Phase : std::uint8_t { resolve, connect, proxy, tls, send, head, body };

struct HttpTimeouts {
  Duration resolve = std::chrono::seconds(10);
  Duration connect = std::chrono::seconds(10);  ///< all addresses of the host together
  Duration proxy = std::chrono::seconds(10);    ///< the proxy's answer to CONNECT
  Duration tls = std::chrono::seconds(10);
  Duration send = std::chrono::minutes(2);  ///< the whole request; bodies reach tens of MiB
  Duration head =
      std::chrono::minutes(5);  ///< a model may read a long prompt before its first byte
  Duration body = std::chrono::minutes(5);  ///< between two pieces of the body
  std::optional<Duration> total;            ///< everything, to the last byte of the body
};

class Deadlines {
 public:
  Deadlines(Clock& clock, HttpTimeouts timeouts)
      : clock_(&clock), timeouts_(timeouts), started_(clock.now()) {}

  [[nodiscard]] Clock& clock() const { return *clock_; }
  [[nodiscard]] const HttpTimeouts& timeouts() const { return timeouts_; }

  /// Runs `task` as the given phase; when it is late, it is cancelled and waited for, and the error
  /// says which limit it broke: `connect (at most 10 s): timed out`.
  template <class T>
  asio::awaitable<Result<T>> run(Phase phase, asio::awaitable<Result<T>> task) const {
    Limit limit = limit_of(phase);
    return with_deadline(*clock_, limit.deadline, std::move(limit.what), std::move(task));
  }

 private:
  struct Limit {
    Instant deadline;
    std::string what;
  };
  [[nodiscard]] Limit limit_of(Phase phase) const;

  Clock* clock_;
  HttpTimeouts timeouts_;
  Instant started_;
};

}  // namespace fathom::net
