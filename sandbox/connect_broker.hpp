// ConnectBroker: the network of a session that has no network namespace of its own (the container
// rung). The command never binds, and never connects, an Internet socket: the broker makes a fresh
// socket, binds or connects that, and puts it in the place of the command's descriptor. What was
// decided about is what is dialled, whatever becomes of the memory the address stood in.
//
// Loopback is the host's own, shared with everything on it. A command may listen there and reach
// what commands of its session listen on; the host's services stay out of reach, and so do
// addresses without a rule. UDP does not exist. Beyond loopback the egress broker carries the bytes
// and counts them: of an address that a rule lists, and of names through its proxy, which commands
// find at a port of loopback where nobody listens. They are handed a connection that was made for
// them alone, so that no other process of the host can use the proxy.
//
// What it does not protect: the ports are the host's, so processes outside can connect to a
// session's servers, and a port that a command takes is taken for them too. A command that can end
// one of its own servers at the moment a service outside opens the same port could get a connection
// to that. The end of a connection to a host that the policy lists has that interface's address,
// not loopback's; a command can listen on it.
//
// What commands notice: options set before connect or bind are gone afterwards (TCP_NODELAY is
// always on), so is what epoll knew of the descriptor; a connect that need not wait does wait,
// until the connection stands; SO_REUSEPORT does not share a port; a Unix server sees our
// credentials; a connection beyond loopback has a port of loopback for its peer; names are found by
// the proxy alone, so a program that heeds no proxy variables finds none.
#pragma once

#include "policies/decide.hpp"
#include "runtime/async/clock.hpp"
#include "sandbox/denied_paths.hpp"
#include "sandbox/listening_sockets.hpp"
#include "sandbox/notify_channel.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/target.hpp"

#include <boost/asio/awaitable.hpp>

#include <deque>
#include <unordered_map>

namespace fathom::sandbox {

namespace asio = boost::asio;

constexpr std::size_t kDialsMax = 128;              // connections being made at once
constexpr std::size_t kBrokeredSocketsMax = 16384;  // remembered; older ones can do no more

class EgressBroker;

/// One a session: what one command listens on, another may reach.
class ConnectBroker {
 public:
  ConnectBroker(Clock& clock, const FileFences& fences, policies::Phase phase);

  /// What carries connections beyond loopback, and what its proxy is reached by. It serves what is
  /// handed over (EgressBroker::serve_handed_over), or commands get no further than loopback.
  void carry_by(EgressBroker& egress) { egress_ = &egress; }

  /// Whether the call is the broker's to answer.
  static bool is_brokered(int number);

  /// Answers one call. `channel` and `outcome` stay alive until this ends.
  asio::awaitable<void> answer(const NotifyChannel& channel, NotifiedCall call, Outcome& outcome);

 private:
  enum class State : std::uint8_t { idle, bound, connected };
  struct Socket {
    int family = 0;
    State state = State::idle;
  };
  /// A call about one descriptor of a command.
  struct Request {
    const NotifyChannel& channel;
    const NotifiedCall& call;
    Outcome& outcome;
    Target target;
    int fd = -1;
    std::optional<Socket> socket;  ///< when it is one of ours
    SocketAddress address;
  };
  /// Where a connection goes, or why not.
  struct Ruling {
    int error = 0;
    std::optional<Denial> denial = {};
    peer::Internet to;
    std::optional<policies::Decision> carried = {};  ///< beyond loopback, by this decision
    bool is_proxy = false;
  };

  void make_socket(const NotifyChannel& channel, const NotifiedCall& call);
  void bind(Request& request);
  void send(const NotifyChannel& channel, const NotifiedCall& call) const;
  asio::awaitable<void> connect(Request& request);
  asio::awaitable<void> connect_internet(Request& request, const peer::Internet& internet);
  asio::awaitable<void> connect_unix(Request& request, const std::string& path);

  asio::awaitable<void> hand_over(Request& request, Ruling ruling, UniqueFd outside);
  [[nodiscard]] Ruling rule(const peer::Internet& internet) const;
  [[nodiscard]] Ruling rule_loopback(const peer::Internet& to) const;
  [[nodiscard]] std::optional<Denial> judge_unix_socket(const std::string& path) const;
  [[nodiscard]] bool is_ours(std::uint64_t inode) const { return sockets_.contains(inode); }
  Request read_request(const NotifyChannel& channel, const NotifiedCall& call,
                       Outcome& outcome) const;
  void remember(int fd, Socket socket);
  void put_in_place(const Request& request, int fd, Socket socket);

  Clock& clock_;
  const FileFences& fences_;
  policies::Phase phase_;
  std::vector<std::string> unix_sockets_;  ///< the policy's, links resolved
  EgressBroker* egress_ = nullptr;
  std::unordered_map<std::uint64_t, Socket> sockets_;  ///< by inode
  std::deque<std::uint64_t> oldest_;
  std::size_t dials_ = 0;
};

}  // namespace fathom::sandbox
