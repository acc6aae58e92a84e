#include "tests/sandbox/egress/egress_session.hpp"

#include "runtime/async/cancellation.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <linux/filter.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

namespace fathom::test {
namespace {

using asio::ip::tcp;
using namespace sandbox;

constexpr std::size_t kConnectionsAnswered = 64;
constexpr const char* kDeadline = "30";  // seconds; a command that hangs fails its test by this
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::string_view kOutside = "192.0.2.";

class OneAddress final : public net::Resolver {
 public:
  asio::awaitable<Result<std::vector<asio::ip::address>>> resolve(std::string host) override {
    // rebound.test is what an attacker's name server does.
    const char* address = host == "rebound.test" ? "127.0.0.1" : "192.0.2.1";
    co_return std::vector<asio::ip::address>{asio::ip::make_address(address)};
  }
};

// A filter that allows everything: what a session needs at least one of.
std::string open_filter() {
  constexpr std::uint32_t kAllow = 0x7fff0000U;
  const sock_filter allow = BPF_STMT(BPF_RET | BPF_K, kAllow);
  return {reinterpret_cast<const char*>(&allow), sizeof allow};
}

int status_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace

EgressSession::EgressSession(asio::io_context& io, policies::Network network)
    : executor_(io.get_executor()), plain_(io), tls_(io), serving_(executor_) {
  policy_.network = std::move(network);
  std::filesystem::create_directory(root_ / "work");
  root_.write("work/ca.pem", authority_.certificate());
  // Readable for whichever id the session runs under.
  std::filesystem::permissions(root_.path(), std::filesystem::perms(0755));
}

EgressOptions EgressSession::options() {
  EgressOptions options = egress_options(policy_, policies::Phase::agent);
  options.on_record = [this](EgressRecord record) { records_.push_back(std::move(record)); };
  options.outbound.resolver = std::make_unique<OneAddress>();
  options.outbound.decide_resolved = [this](std::string_view host, std::string_view address) {
    if (address.starts_with(kOutside))
      return policies::Decision{policies::Verdict::allow, "network.address_class", "", ""};
    return policies::decide_resolved(policy_, host, address);
  };
  options.outbound.dial = [this](tcp::endpoint to) {
    dialled_.push_back(to.address().to_string() + " " + std::to_string(to.port()));
    const Loopback& server = to.port() == kHttpsPort ? tls_ : plain_;
    return dial_tcp({asio::ip::address_v4::loopback(), server.port()});
  };
  return options;
}

Loopback::Script EgressSession::answer(bool tls) {
  return [this, tls](LoopbackPeer& peer) -> asio::awaitable<void> {
    if (tls) (void)co_await peer.start_tls(authority_.issue({.names = {"api.test"}}));
    std::string request = co_await peer.read_request();
    requests_.push_back(std::move(request));
    const std::string body = kHello;
    co_await peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                       "\r\nConnection: close\r\n\r\n" + body);
  };
}

Result<SessionPlan> EgressSession::plan(RootMode mode) const {
  const HostFacts host = look_at_host(process_env);
  const Workspace workspace = TRY(open_workspace((root_ / "work").string(), host));
  CompileInput input{policy_, host, workspace};
  input.root_mode = mode;
  input.filters = {open_filter()};
  input.listeners = broker_->listeners();
  input.capture = broker_->capture();
  return compile(input);
}

asio::awaitable<Result<>> EgressSession::open() {
  CO_TRY(zygote_, ZygoteProcess::start());
  CO_TRY(broker_, EgressBroker::create(executor_, clock_, options()));
  Result<> ready;
  for (const RootMode mode : {RootMode::idmapped, RootMode::unmapped}) {
    CO_TRY(const SessionPlan planned, plan(mode));
    CO_TRY(session_, Session::open(*zygote_, planned, executor_));
    ready = co_await session_->ready();
    if (ready) break;
    co_await session_->close();
  }
  if (!ready) co_return ready;
  plain_.serve(std::vector<Loopback::Script>(kConnectionsAnswered, answer(false)));
  tls_.serve(std::vector<Loopback::Script>(kConnectionsAnswered, answer(true)));
  serving_.spawn([](EgressSession& self) -> asio::awaitable<void> {
    const Result<> served = co_await self.broker_->serve(std::move(self.session_->listeners()));
    if (!served) throw std::runtime_error(served.error().message);
  }(*this));
  co_return Result<>();
}

asio::awaitable<void> EgressSession::close() {
  serving_.cancel();
  co_await serving_.join();
  co_await plain_.stop();
  co_await tls_.stop();
  if (session_) co_await session_->close();
}

asio::awaitable<Ran> EgressSession::run(std::vector<std::string> argv, ProxyVariables proxy) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  asio::posix::stream_descriptor reading(executor_, ends[0]);
  UniqueFd writing(ends[1]);
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));

  LaunchPlan plan;
  plan.argv = {"/usr/bin/timeout", kDeadline};
  plan.argv.insert(plan.argv.end(), argv.begin(), argv.end());
  plan.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LC_ALL=C"};
  if (proxy == ProxyVariables::set)
    for (const auto& [name, value] : broker_->environment()) plan.env.push_back(name + "=" + value);
  auto cell = session_->prepare();
  REQUIRE(cell);
  REQUIRE((*cell)->launch(plan, {nothing.get(), writing.get(), writing.get()}));
  writing.reset();

  Ran ran;
  for (;;) {
    auto event = co_await (*cell)->next();
    REQUIRE(event);
    if (const auto* failed = std::get_if<cell_event::Failed>(&*event))
      FAIL(stage_text(failed->stage, failed->error, failed->detail));
    if (const auto* exited = std::get_if<cell_event::Exited>(&*event))
      ran.status = status_of(exited->status);
    if (std::holds_alternative<cell_event::End>(*event)) break;
  }
  // A pipe holds 64 KiB, more than any command here says.
  std::array<char, 4096> buffer{};
  boost::system::error_code ec;
  while (!ec) {
    const std::size_t size = co_await reading.async_read_some(
        asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ec));
    ran.out.append(buffer.data(), size);
  }
  co_return ran;
}

std::optional<EgressRecord> EgressSession::record(Via via, const std::string& name) const {
  const auto found = std::ranges::find_if(
      records_, [&](const EgressRecord& each) { return each.via == via && each.name == name; });
  if (found == records_.end()) return std::nullopt;
  return *found;
}

void run_in_session(const policies::Network& network,
                    const std::function<asio::awaitable<void>(EgressSession&)>& body) {
  asio::io_context io(1);
  EgressSession session(io, network);
  Result<> opened;
  const auto whole = [&]() -> asio::awaitable<void> {
    std::exception_ptr error;
    try {
      opened = co_await session.open();
      if (opened) co_await body(session);
    } catch (...) {
      error = std::current_exception();
    }
    co_await session.close();
    if (error) std::rethrow_exception(error);
  };
  if (const std::exception_ptr error = run_to_end(io, whole())) std::rethrow_exception(error);
  if (!opened) skip(opened.error().message + ": egress from a session was not tested");
}

}  // namespace fathom::test
