#include "tests/sandbox/egress/egress_harness.hpp"

#include "runtime/async/cancellation.hpp"
#include "tests/sandbox/egress/policy_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace fathom::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Each round waits at most this long for the network; the product only bounds a test that hangs.
constexpr auto kPatience = std::chrono::milliseconds(2);
constexpr int kRoundsMax = 10'000;
constexpr int kBacklog = 512;

// A socket of 127.0.0.1 on a port that the kernel chooses.
std::pair<UniqueFd, std::uint16_t> bound(int type) {
  UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  if (::bind(fd.get(), address, size) != 0 ||
      (type == SOCK_STREAM && ::listen(fd.get(), kBacklog) != 0) ||
      ::getsockname(fd.get(), address, &size) != 0)
    throw std::system_error(errno, std::generic_category(), "a loopback socket");
  return {std::move(fd), ntohs(at.sin_port)};
}

// The real table, but for the addresses of documentation, which stand for the Internet here.
policies::Decision decide_resolved(std::string_view host, std::string_view address) {
  if (address.starts_with("192.0.2.") || address.starts_with("198.51.100."))
    return {policies::Verdict::allow, "network.address_class", "", ""};
  return policies::decide_resolved({}, host, address);
}

asio::awaitable<Result<std::unique_ptr<tcp::socket>>> never(Clock& clock) {
  co_await clock.sleep_until(Instant::max());
  co_return fail(ErrorCode::timeout, "never");
}

}  // namespace

class EgressHarness::Resolver final : public net::Resolver {
 public:
  Resolver(EgressHarness& harness, EgressSetup& setup)
      : harness_(harness),
        addresses_(std::move(setup.addresses)),
        silent_(setup.resolver_is_silent) {}

  asio::awaitable<Result<std::vector<asio::ip::address>>> resolve(std::string host) override {
    harness_.looked_up.push_back(host);
    if (silent_) co_await harness_.clock_.sleep_until(Instant::max());
    std::vector<asio::ip::address> out;
    for (const std::string& text : addresses_.front()) out.push_back(asio::ip::make_address(text));
    if (addresses_.size() > 1) addresses_.pop_front();
    if (out.empty()) co_return fail(ErrorCode::not_found, "the host name is not known");
    co_return out;
  }

 private:
  EgressHarness& harness_;
  std::deque<std::vector<std::string>> addresses_;
  bool silent_;
};

EgressHarness::EgressHarness(EgressSetup setup) {
  std::tie(server_, server_port_) = bound(SOCK_STREAM);
  auto broker =
      sandbox::EgressBroker::create(io_.get_executor(), clock_, options_of(std::move(setup)));
  if (!broker) throw std::runtime_error(broker.error().message);
  broker_ = *std::move(broker);
  const auto serve = [this](std::vector<UniqueFd> sockets) -> asio::awaitable<void> {
    const Result<> served = co_await broker_->serve(std::move(sockets));
    if (!served) throw std::runtime_error(served.error().message);
  };
  asio::co_spawn(io_, serve(listen()),
                 asio::bind_cancellation_slot(cancel_.slot(), [this](std::exception_ptr e) {
                   ended_ = true;
                   error_ = std::move(e);
                 }));
  settle();
}

EgressHarness::~EgressHarness() {
  cancel();
  run_until([&] { return ended_; });
}

sandbox::EgressOptions EgressHarness::options_of(EgressSetup setup) {
  sandbox::EgressOptions options;
  options.network = network_of(setup.hosts);
  options.network.host_loopback_ports = setup.host_loopback_ports;
  options.decide = decide_by(setup.hosts);
  options.on_record = [this](sandbox::EgressRecord record) {
    records.push_back(std::move(record));
  };
  options.check_tls_server_name = setup.check_tls_server_name;
  options.outbound.resolver = std::make_unique<Resolver>(*this, setup);
  options.outbound.decide_resolved = decide_resolved;
  options.outbound.own_addresses = [own = setup.own_addresses] {
    std::vector<asio::ip::address> out;
    for (const std::string& text : own) out.push_back(asio::ip::make_address(text));
    return out;
  };
  options.outbound.dial = [this, silent = setup.dial_is_silent](tcp::endpoint to) {
    dialled.push_back(to.address().to_string() + " " + std::to_string(to.port()));
    if (silent) return never(clock_);
    return sandbox::dial_tcp({asio::ip::address_v4::loopback(), server_port_});
  };
  return options;
}

std::vector<UniqueFd> EgressHarness::listen() {
  std::vector<UniqueFd> out;
  for (const sandbox::ListenerPlan& plan : broker_->listeners()) {
    auto [fd, port] = bound(plan.type);
    out.push_back(std::move(fd));
    ports_.push_back(port);
  }
  return out;
}

RawClient EgressHarness::connect(int type, std::uint16_t port) {
  const auto plans = broker_->listeners();
  const auto plan = std::ranges::find_if(
      plans, [&](const auto& each) { return each.type == type && each.port == port; });
  if (plan == plans.end()) throw std::runtime_error("no such listener is planned");
  net::ListenAddress address;
  address.port = ports_.at(static_cast<std::size_t>(plan - plans.begin()));
  RawClient client(address);
  settle();
  return client;
}

RawClient EgressHarness::accept() {
  UniqueFd fd;
  run_until([&] {
    fd.reset(::accept4(server_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return static_cast<bool>(fd);
  });
  return RawClient(std::move(fd));
}

std::string EgressHarness::ask(std::string_view datagram) {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(ports_.front());
  ::sendto(fd.get(), datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&to),
           sizeof to);
  settle();
  std::array<char, 2048> answer{};
  const ssize_t size = ::recv(fd.get(), answer.data(), answer.size(), 0);
  return size > 0 ? std::string(answer.data(), static_cast<std::size_t>(size)) : "";
}

void EgressHarness::run_until(const std::function<bool()>& done) {
  for (int round = 0; !done(); ++round) {
    if (round == kRoundsMax) throw std::runtime_error("nothing happens any more");
    io_.restart();
    io_.run_for(kPatience);
  }
}

// Loopback sockets deliver within the sending call, so what is to happen is queued already.
void EgressHarness::settle() {
  constexpr int kHops = 50;
  for (int i = 0; i < kHops; ++i) {
    io_.restart();
    io_.poll();
  }
}

void EgressHarness::run_steps(int handlers) {
  io_.restart();
  while (handlers-- > 0 && io_.poll_one() != 0) continue;
}

void EgressHarness::advance(Duration duration) {
  settle();
  clock_.advance(duration);
  settle();
}

void EgressHarness::cancel() {
  // From inside: Boost 1.81's co_spawn posts a cancellation that comes from outside, and does not
  // keep what it refers to alive until then.
  asio::post(io_, [this] {
    if (!ended_) cancel_.emit(asio::cancellation_type::terminal);
  });
  settle();
}

std::string EgressHarness::read(RawClient& client, std::size_t bytes) {
  run_until([&] {
    client.receive();
    return client.received().size() >= bytes || client.ended() || client.was_reset();
  });
  std::string out = client.received().substr(0, bytes);
  client.received().erase(0, out.size());
  return out;
}

EgressHarness::Tunnel EgressHarness::tunnel(const std::string& host_and_port) {
  RawClient inside = connect_proxy();
  inside.send("CONNECT " + host_and_port + " HTTP/1.1\r\n\r\n");
  RawClient outside = accept();
  constexpr std::string_view kStands = "HTTP/1.1 200 Connection established\r\n\r\n";
  if (read(inside, kStands.size()) != kStands) throw std::runtime_error("the tunnel is refused");
  return {std::move(inside), std::move(outside)};
}

}  // namespace fathom::test
