#include "runtime/net/deadlines.hpp"

#include <string_view>

namespace fathom::net {
namespace {

std::string_view doing(Phase phase) {
  switch (phase) {
    case Phase::resolve:
      return "looking up the host name";
    case Phase::connect:
      return "connecting";
    case Phase::proxy:
      return "waiting for the proxy's tunnel";
    case Phase::tls:
      return "TLS handshake";
    case Phase::send:
      return "sending the request";
    case Phase::head:
      return "waiting for the response";
    case Phase::body:
      return "waiting for more of the response body";
  }
  return "HTTP";
}

Duration timeout_of(Phase phase, const HttpTimeouts& timeouts) {
  switch (phase) {
    case Phase::resolve:
      return timeouts.resolve;
    case Phase::connect:
      return timeouts.connect;
    case Phase::proxy:
      return timeouts.proxy;
    case Phase::tls:
      return timeouts.tls;
    case Phase::send:
      return timeouts.send;
    case Phase::head:
      return timeouts.head;
    case Phase::body:
      return timeouts.body;
  }
  return timeouts.body;
}

std::string in_words(Duration duration) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (milliseconds % 1000 != 0) return std::to_string(milliseconds) + " ms";
  return std::to_string(milliseconds / 1000) + " s";
}

}  // namespace

Deadlines::Limit Deadlines::limit_of(Phase phase) const {
  const Duration timeout = timeout_of(phase, timeouts_);
  const std::string what(doing(phase));
  const Instant deadline = clock_->now() + timeout;
  if (timeouts_.total && started_ + *timeouts_.total < deadline)
    return {started_ + *timeouts_.total,
            what + " (at most " + in_words(*timeouts_.total) + " for the whole call)"};
  return {deadline, what + " (at most " + in_words(timeout) + ")"};
}

}  // namespace fathom::net
