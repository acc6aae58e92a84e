#include "sandbox/egress/egress_broker.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/async/timeout.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "runtime/net/network_error.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace fathom::sandbox {
namespace {

using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;
using namespace std::chrono_literals;

constexpr std::uint16_t kNameServerPort = 53;
constexpr const char* kNameServerAddress = "127.0.0.53";  // as the session's resolv.conf says
constexpr std::uint16_t kProxyPort = 3128;                // or the next that no rule lists
constexpr const char* kProxyAddress = "127.0.0.1";
constexpr std::size_t kNameBytesShownMax = 300;  // of a denied name, escapes and all
constexpr Duration kPauseAfterError = 100ms;     // out of descriptors, most likely
constexpr int kBurstSeconds = 2;

Result<int> family_of(int fd, int type) {
  int family = 0;
  int found = 0;
  socklen_t size = sizeof family;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0 ||
      ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &found, &size) != 0)
    return fail(system_error("egress: a listener", errno));
  if (found != type || (family != AF_INET && family != AF_INET6))
    return fail(ErrorCode::usage, "egress: a listener is not of the planned kind");
  return family;
}

std::optional<tcp::socket> as_socket(const asio::any_io_executor& executor, UniqueFd fd) {
  const auto family = family_of(fd.get(), SOCK_STREAM);
  if (!family) return std::nullopt;
  tcp::socket socket(executor);
  error_code ec;
  socket.assign(*family == AF_INET ? tcp::v4() : tcp::v6(), fd.get(), ec);
  if (ec) return std::nullopt;
  (void)fd.release();
  return socket;
}

// One of `count` for as long as it lives.
struct Counted {
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

EgressOptions egress_options(const policies::Policy& policy, policies::Phase phase) {
  EgressOptions options;
  options.network = policy.network;
  options.phase = phase;
  options.decide = [&policy](const policies::request::Connect& request) {
    return policies::decide(policy, request);
  };
  options.outbound.resolver = std::make_unique<net::SystemResolver>();
  options.outbound.decide_resolved = [&policy](std::string_view host, std::string_view address) {
    return policies::decide_resolved(policy, host, address);
  };
  return options;
}

EgressBroker::EgressBroker(asio::any_io_executor executor, Clock& clock, EgressOptions options)
    : executor_(std::move(executor)),
      clock_(clock),
      on_record_(std::move(options.on_record)),
      rules_(std::move(options.network), std::move(options.decide), options.phase),
      listening_(plan_listeners(rules_)),
      name_server_(rules_, addresses_,
                   [this](const std::string& name, const policies::Decision& decision) {
                     record_denied_name(name, decision);
                   }),
      outbound_(executor_, clock, std::move(options.outbound)),
      scratch_(kChunkBytes),
      services_{clock,
                rules_,
                addresses_,
                outbound_,
                on_record_,
                options.timeouts,
                options.check_tls_server_name,
                scratch_},
      connection_rate_(kConnectionsPerSecondMax, kConnectionsPerSecondMax * kBurstSeconds),
      look_up_rate_(kLookUpsPerSecondMax, kLookUpsPerSecondMax * kBurstSeconds),
      tasks_(executor_) {
  ENSURE(on_record_, "the broker is given a log");
}

Result<std::unique_ptr<EgressBroker>> EgressBroker::create(asio::any_io_executor executor,
                                                           Clock& clock, EgressOptions options) {
  std::unique_ptr<EgressBroker> broker(
      new EgressBroker(std::move(executor), clock, std::move(options)));
  if (broker->listening_.size() > wire::kListenersMax)
    return fail(ErrorCode::too_large, "network: " + std::to_string(broker->rules_.ports().size()) +
                                          " different ports are listed and at most " +
                                          std::to_string(wire::kListenersMax - 3) +
                                          " can be captured: list fewer ports");
  return broker;
}

std::vector<EgressBroker::Listening> EgressBroker::plan_listeners(const EgressRules& rules) {
  std::vector<Listening> out = {
      {Role::look_ups, {SOCK_DGRAM, kNameServerPort, kNameServerAddress}},
      {Role::look_ups, {SOCK_STREAM, kNameServerPort, kNameServerAddress}}};
  if (rules.is_off()) return out;
  const std::vector<std::uint16_t> ports = rules.ports();
  std::uint16_t proxy = kProxyPort;
  while (std::ranges::find(ports, proxy) != ports.end()) ++proxy;
  out.push_back({Role::proxy, {SOCK_STREAM, proxy, kProxyAddress}});
  for (const std::uint16_t port : ports)
    // A socket for all addresses cannot share its port with one for a single address.
    if (port != kNameServerPort) out.push_back({Role::capture, {SOCK_STREAM, port, ""}});
  return out;
}

std::vector<ListenerPlan> EgressBroker::listeners() const {
  std::vector<ListenerPlan> out;
  for (const Listening& listening : listening_) out.push_back(listening.plan);
  return out;
}

std::optional<std::uint16_t> EgressBroker::proxy_port() const {
  const auto proxy = std::ranges::find(listening_, Role::proxy, &Listening::role);
  if (proxy == listening_.end()) return std::nullopt;
  return proxy->plan.port;
}

std::vector<policies::EnvironmentVariable> EgressBroker::environment() const {
  const auto proxy = std::ranges::find(listening_, Role::proxy, &Listening::role);
  if (proxy == listening_.end()) return {{"npm_config_fetch_retries", "0"}};
  const std::string url = "http://" + proxy->plan.address + ":" + std::to_string(proxy->plan.port);
  const std::string direct = "localhost,127.0.0.1,127.0.0.0/8,::1,.localhost";
  // ALL_PROXY too is http, not socks5h: Python's httpx will not start with a SOCKS proxy in its
  // environment unless an extra package is installed.
  return {{"HTTP_PROXY", url},  {"HTTPS_PROXY", url}, {"ALL_PROXY", url},
          {"NO_PROXY", direct}, {"http_proxy", url},  {"https_proxy", url},
          {"all_proxy", url},   {"no_proxy", direct}, {"NODE_USE_ENV_PROXY", "1"}};
}

void EgressBroker::record_denied_name(const std::string& name, const policies::Decision& decision) {
  EgressRecord record;
  record.name = to_printable(clip_prefix(name, kNameBytesShownMax));
  record.via = Via::dns;
  record.verdict = decision.verdict;
  record.rule = decision.rule;
  record.reason = decision.reason;
  record.grant = decision.grant;
  on_record_(std::move(record));
}

asio::awaitable<Result<>> EgressBroker::serve(std::vector<UniqueFd> listeners) {
  Result<> started;
  if (listeners.size() != listening_.size())
    co_return fail(ErrorCode::usage, "egress: not as many listeners as were planned");
  for (std::size_t i = 0; started && i < listeners.size(); ++i)
    started = start(listening_[i].role, listening_[i].plan, std::move(listeners[i]));
  if (!started) tasks_.cancel();
  co_await tasks_.join();
  co_return started;
}

asio::awaitable<void> EgressBroker::serve_handed_over() {
  takes_ = true;
  // Something to wait for while there is no connection.
  tasks_.spawn([](Clock& clock) -> asio::awaitable<void> {
    co_await clock.sleep_until(Instant::max());
  }(clock_));
  try {
    co_await tasks_.join();
  } catch (...) {
    takes_ = false;
    throw;
  }
}

// False: the socket was turned away.
bool EgressBroker::make_room(tcp::socket& socket) {
  if (takes_ && connections_ < kConnectionsMax) return true;
  if (takes_)
    EgressConnection(services_, std::move(socket))
        .turn_away(Via::capture,
                   "more than " + std::to_string(kConnectionsMax) + " connections at a time");
  return false;
}

void EgressBroker::take(UniqueFd inside) {
  auto socket = as_socket(executor_, std::move(inside));
  if (!socket || !make_room(*socket)) return;
  tasks_.spawn([](EgressBroker& self, tcp::socket with) -> asio::awaitable<void> {
    if (const Instant free = self.connection_rate_.take(self.clock_.now());
        free > self.clock_.now())
      co_await self.clock_.sleep_until(free);
    co_await self.run(std::move(with), Role::proxy);
  }(*this, *std::move(socket)));
}

void EgressBroker::carry(Ends ends, Peer peer, policies::Decision decision) {
  auto inside = as_socket(executor_, std::move(ends.inside));
  auto outside = as_socket(executor_, std::move(ends.outside));
  if (!inside || !outside || !make_room(*inside)) return;
  tasks_.spawn(carry_between({*std::move(inside), *std::move(outside)}, std::move(peer),
                             std::move(decision)));
}

asio::awaitable<void> EgressBroker::carry_between(std::pair<tcp::socket, tcp::socket> ends,
                                                  Peer peer, policies::Decision decision) {
  const Counted counted(connections_);
  EgressConnection connection(services_, std::move(ends.first));
  co_await connection.run_dialled(std::move(ends.second), std::move(peer.address), peer.port,
                                  std::move(decision));
}

Result<> EgressBroker::start(Role role, const ListenerPlan& plan, UniqueFd fd) {
  const int family = TRY(family_of(fd.get(), plan.type));
  error_code ec;
  if (plan.type == SOCK_DGRAM) {
    udp::socket socket(executor_);
    socket.assign(family == AF_INET ? udp::v4() : udp::v6(), fd.get(), ec);
    if (ec) return fail(net::network_error("egress: a listener", ec));
    (void)fd.release();
    tasks_.spawn(serve_datagrams(std::move(socket)));
  } else {
    tcp::acceptor acceptor(executor_);
    acceptor.assign(family == AF_INET ? tcp::v4() : tcp::v6(), fd.get(), ec);
    if (ec) return fail(net::network_error("egress: a listener", ec));
    (void)fd.release();
    tasks_.spawn(accept(std::move(acceptor), role));
  }
  return {};
}

asio::awaitable<void> EgressBroker::serve_datagrams(udp::socket socket) {
  error_code ec;
  socket.non_blocking(true, ec);
  std::array<char, dns::kQueryBytesMax + 1> buffer{};  // one more, to tell what is too long
  for (;;) {
    udp::endpoint sender;
    const std::size_t size = co_await socket.async_receive_from(
        asio::buffer(buffer), sender, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      co_await clock_.sleep_for(kPauseAfterError);
      continue;
    }
    const std::string answer = name_server_.answer({buffer.data(), size});
    // A sender whose buffer is full asks again.
    if (!answer.empty()) socket.send_to(asio::buffer(answer), sender, 0, ec);
    if (const Instant free = look_up_rate_.take(clock_.now()); free > clock_.now())
      co_await clock_.sleep_until(free);
  }
}

asio::awaitable<void> EgressBroker::accept(tcp::acceptor acceptor, Role role) {
  for (;;) {
    error_code ec;
    tcp::socket socket(executor_);
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      co_await clock_.sleep_for(kPauseAfterError);
      continue;
    }
    if (connections_ < kConnectionsMax) {
      tasks_.spawn(run(std::move(socket), role));
    } else {
      EgressConnection(services_, std::move(socket))
          .turn_away(Via::capture,
                     "more than " + std::to_string(kConnectionsMax) + " connections at a time");
    }
    if (const Instant free = connection_rate_.take(clock_.now()); free > clock_.now())
      co_await clock_.sleep_until(free);
  }
}

asio::awaitable<void> EgressBroker::run(tcp::socket socket, Role role) {
  const Counted counted(connections_);
  if (role == Role::look_ups) co_return co_await answer_look_ups(std::move(socket));
  EgressConnection connection(services_, std::move(socket));
  if (role == Role::capture) {
    co_await connection.run_captured();
  } else {
    co_await connection.run_proxied();
  }
}

// RFC 7766: each message has its length in front, and a connection carries any number of them.
asio::awaitable<void> EgressBroker::answer_look_ups(tcp::socket socket) {
  const auto serve_one = [this](tcp::socket& with) -> asio::awaitable<Result<>> {
    error_code ec;
    std::array<unsigned char, 2> length{};
    co_await asio::async_read(with, asio::buffer(length),
                              asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return fail(net::network_error("reading", ec));
    const std::size_t size = static_cast<std::size_t>(length[0]) << 8U | length[1];
    if (size > dns::kQueryBytesMax) co_return fail(ErrorCode::too_large, "the message is too long");
    std::string message(size, '\0');
    co_await asio::async_read(with, asio::buffer(message),
                              asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return fail(net::network_error("reading", ec));
    const std::string answer = name_server_.answer(message);
    if (answer.empty()) co_return fail(ErrorCode::protocol, "the message deserves no answer");
    std::string framed{static_cast<char>(answer.size() >> 8U), static_cast<char>(answer.size())};
    framed += answer;
    co_await asio::async_write(with, asio::buffer(framed),
                               asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return fail(net::network_error("writing", ec));
    co_return Result<>();
  };
  for (Result<> served; served;) {
    auto serving = serve_one(socket);
    served = co_await with_timeout(clock_, services_.timeouts.request, "waiting for a look-up",
                                   std::move(serving));
    if (const Instant free = look_up_rate_.take(clock_.now()); free > clock_.now())
      co_await clock_.sleep_until(free);
  }
}

}  // namespace fathom::sandbox
