// ScriptedDialer: a test double for the network. Each connection it makes plays the next script.
#pragma once

#include "runtime/net/dialer.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace fathom::test {

namespace asio = boost::asio;

/// What the peer of one connection does, in order. Each read takes the next step; reads after the
/// last wait for ever.
namespace peer {
struct Says {
  std::string bytes;
};
struct Waits {
  Duration duration;  ///< before the step after it
};
struct Closes {};
struct Resets {};
struct HearsNothing {};  ///< the first write fails at once, as on a connection the peer has reset
struct TakesNothing {};  ///< writes wait for ever, as into a full buffer
struct IsNoisy {};       ///< not quiet between requests
}  // namespace peer

using PeerStep = std::variant<peer::Says, peer::Waits, peer::Closes, peer::Resets,
                              peer::HearsNothing, peer::TakesNothing, peer::IsNoisy>;
using PeerScript = std::vector<PeerStep>;

class ScriptedDialer final : public net::Dialer {
 public:
  /// What outlives the dialer: the test looks at it while and after the client owns the dialer.
  struct Log {
    std::vector<net::Route> dialed;
    std::vector<std::string> sent;  ///< the bytes written to each connection
    std::size_t open = 0;           ///< connections that are not destroyed
  };

  /// Dialing beyond the scripts fails with `network`. `dial_time` passes before each connection
  /// stands.
  ScriptedDialer(Log& log, std::deque<PeerScript> scripts, Duration dial_time = {})
      : log_(log), scripts_(std::move(scripts)), dial_time_(dial_time) {}

  asio::awaitable<Result<std::unique_ptr<net::ByteStream>>> dial(
      const net::Route& route, const net::Deadlines& deadlines) override;

 private:
  Log& log_;
  std::deque<PeerScript> scripts_;
  Duration dial_time_;
};

}  // namespace fathom::test
