#include "sandbox/egress/egress_connection.hpp"

#include "runtime/async/timeout.hpp"
#include "runtime/net/network_error.hpp"
#include "sandbox/egress/tls_server_name.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <utility>

namespace fathom::sandbox {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using policies::Verdict;

constexpr std::size_t kReadBytes = 4096;
constexpr std::size_t kFarewellBytesMax = 64UL * 1024;  // dropped while a refusal is delivered

// What a request of HTTP starts with: enough to answer in the same language.
bool looks_like_http(std::string_view first) {
  constexpr std::string_view kMethods[] = {"GET ",    "POST ",  "PUT ",     "HEAD ",
                                           "DELETE ", "PATCH ", "OPTIONS ", "PROPFIND "};
  return std::ranges::any_of(kMethods,
                             [&](std::string_view method) { return first.starts_with(method); });
}

// By close() rather than the destructor: that takes the option back first.
void reset(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::socket::linger(true, 0), ignored);
  socket.close(ignored);
}

std::string text_of(ConnectionPipe::Ending ending) {
  switch (ending) {
    case ConnectionPipe::Ending::reset:
      return "one side broke the connection off";
    case ConnectionPipe::Ending::idle:
      return "closed: nothing was sent for too long";
    case ConnectionPipe::Ending::closed:
    case ConnectionPipe::Ending::refused:
      break;
  }
  return "";
}

}  // namespace

EgressConnection::EgressConnection(EgressServices& services, tcp::socket inside)
    : services_(services), inside_(std::move(inside)), began_(services.clock.now()) {}

EgressConnection::~EgressConnection() {
  if (!recorded_) return;
  record_.duration = services_.clock.now() - began_;
  services_.on_record(std::move(record_));
}

void EgressConnection::turn_away(Via via, std::string reason) {
  record_.via = via;
  deny("", std::move(reason));
  reset(inside_);
}

void EgressConnection::deny(std::string rule, std::string reason) {
  take({Verdict::deny, std::move(rule), std::move(reason), ""});
}

void EgressConnection::take(policies::Decision decision) {
  recorded_ = true;
  record_.verdict = decision.verdict;
  record_.rule = std::move(decision.rule);
  record_.reason = std::move(decision.reason);
  record_.grant = std::move(decision.grant);
}

// Gives a synthetic address its name back. The session's own loopback arrives here when a program
// connects to a port of it that only the capture listener has.
bool EgressConnection::name_destination(Destination& to) {
  record_.port = to.port;
  if (to.address && to.address->is_v4() && SyntheticAddresses::contains(to.address->to_v4())) {
    auto name = services_.addresses.name_of(to.address->to_v4());
    if (!name) {
      record_.address = to.host();
      deny("network.hosts", to.host() + " stands for no name (any more): look the name up again");
      return false;
    }
    to = {*std::move(name), {}, to.port};
  }
  if (record_.via == Via::capture && to.address && to.address->is_loopback()) {
    record_.address = to.host();
    deny("network.loopback",
         "no server of this session listens on port " + std::to_string(to.port));
    return false;
  }
  record_.name = to.name;
  if (to.address) record_.address = to.host();
  return true;
}

bool EgressConnection::decide(const Destination& to) {
  take(services_.rules.may_connect(to));
  return record_.verdict == Verdict::allow;
}

asio::awaitable<void> EgressConnection::run_captured() {
  error_code ec;
  const tcp::endpoint meant = inside_.local_endpoint(ec);
  if (ec) co_return;
  record_.via = Via::capture;
  co_await open({"", unmapped(meant.address()), meant.port()}, "");
}

asio::awaitable<void> EgressConnection::run_dialled(tcp::socket outside, std::string address,
                                                    std::uint16_t port,
                                                    policies::Decision decision) {
  record_.via = Via::capture;
  record_.address = std::move(address);
  record_.port = port;
  take(std::move(decision));
  co_await carry(std::move(outside), "");
}

asio::awaitable<void> EgressConnection::run_proxied() {
  std::string first;
  auto reading = read_proxy_request(first);
  auto to = co_await with_timeout(services_.clock, services_.timeouts.request,
                                  "waiting for the proxy request", std::move(reading));
  if (!to) co_return;
  co_await open(*std::move(to), std::move(first));
}

// A connection that says nothing is closed without a record: it reached nobody and told nothing.
asio::awaitable<Result<Destination>> EgressConnection::read_proxy_request(std::string& first) {
  ProxyRequest request;
  ProxyStep step = proxy_step::Read{};
  for (;;) {
    if (auto* connect = std::get_if<proxy_step::Connect>(&step)) {
      record_.via = connect->via;
      first = std::move(connect->up);
      co_return std::move(connect->to);
    }
    if (auto* refusal = std::get_if<proxy_step::Refuse>(&step)) {
      record_.via = refusal->bytes.starts_with("HTTP") ? Via::http : Via::socks5;
      deny("", "proxy request: " + refusal->why);
      co_await say_and_close(std::move(refusal->bytes));
      co_return fail(ErrorCode::bad_data, "the proxy request was refused");
    }
    if (auto* reply = std::get_if<proxy_step::Reply>(&step)) {
      error_code ec;
      co_await asio::async_write(inside_, asio::buffer(reply->bytes),
                                 asio::redirect_error(asio::use_awaitable, ec));
      if (ec) co_return fail(net::network_error("answering", ec));
      step = request.feed("");
      continue;
    }
    CO_TRY(const std::string bytes, co_await read_some());
    if (bytes.empty()) co_return fail(ErrorCode::network, "the program closed");
    step = request.feed(bytes);
  }
}

asio::awaitable<void> EgressConnection::open(Destination to, std::string first) {
  if (!name_destination(to) || !decide(to)) co_return co_await refuse(ProxyRefusal::forbidden);
  Outbound::Outcome outcome = co_await services_.outbound.reach(std::move(to));
  record_.address = std::move(outcome.address);
  if (!outcome.socket) {
    record_.reason = std::move(outcome.reason);
    if (outcome.denial) take(*std::move(outcome.denial));
    co_return co_await refuse(outcome.refusal);
  }
  if (const std::string answer = ProxyRequest::accepted(record_.via); !answer.empty()) {
    error_code ec;
    co_await asio::async_write(inside_, asio::buffer(answer),
                               asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
  }
  co_await carry(std::move(*outcome.socket), std::move(first));
}

asio::awaitable<void> EgressConnection::carry(tcp::socket outside, std::string first) {
  ConnectionPipe::LookAtFirst look;
  const bool named = !record_.name.empty() && record_.name != kHostName;
  if (services_.check_tls_server_name && named && record_.via != Via::http)
    look = [this](std::string_view bytes) { return look_at_first(bytes); };
  ConnectionPipe pipe(services_.clock, {inside_, outside, record_.bytes_up, record_.bytes_down},
                      services_.timeouts.idle, services_.scratch);
  const ConnectionPipe::Ending ending = co_await pipe.run(std::move(first), std::move(look));
  if (ending == ConnectionPipe::Ending::closed) co_return;
  reset(outside);
  if (ending == ConnectionPipe::Ending::refused)
    co_return co_await say_and_close(std::string(kTlsAccessDenied));
  record_.reason = text_of(ending);
  reset(inside_);
}

ConnectionPipe::Gate EgressConnection::look_at_first(std::string_view first) {
  const ServerName found = read_server_name(first);
  switch (found.kind) {
    case ServerName::Kind::incomplete:
      return ConnectionPipe::Gate::more;
    case ServerName::Kind::not_tls:
      return ConnectionPipe::Gate::open;
    case ServerName::Kind::malformed:
      deny("network.server_name", "the TLS client hello is not well formed");
      return ConnectionPipe::Gate::refuse;
    case ServerName::Kind::absent:
      deny("network.server_name",
           "the TLS client hello names no server, and should name '" + record_.name + "'");
      return ConnectionPipe::Gate::refuse;
    case ServerName::Kind::found:
      break;
  }
  const auto named = parse_destination(found.name, record_.port);
  if (named && named->name == record_.name) return ConnectionPipe::Gate::open;
  deny("network.server_name", "the TLS client hello names another server than '" + record_.name +
                                  "', which was allowed" +
                                  (named ? ": '" + named->host() + "'" : ""));
  return ConnectionPipe::Gate::refuse;
}

asio::awaitable<void> EgressConnection::refuse(ProxyRefusal refusal) {
  if (record_.via == Via::capture) co_return co_await refuse_captured();
  co_await say_and_close(ProxyRequest::refused(record_.via, refusal, record_.reason));
}

// The program believes that it is connected. It is told no in its own language, where that can be
// known from its first bytes, because "connection reset" reads like a broken network.
asio::awaitable<void> EgressConnection::refuse_captured() {
  auto reading = read_some();
  const auto first = co_await with_timeout(services_.clock, services_.timeouts.farewell,
                                           "waiting for the first bytes", std::move(reading));
  if (first && first->starts_with("\x16\x03"))
    co_return co_await say_and_close(std::string(kTlsAccessDenied));
  if (first && looks_like_http(*first))
    co_return co_await say_and_close(
        ProxyRequest::refused(Via::http, ProxyRefusal::forbidden, record_.reason));
  reset(inside_);
}

// Closing with unread bytes would send a reset, which may overtake the answer.
asio::awaitable<void> EgressConnection::say_and_close(std::string bytes) {
  error_code ec;
  const auto drain = [](EgressConnection& self, std::string text) -> asio::awaitable<Result<>> {
    error_code error;
    co_await asio::async_write(self.inside_, asio::buffer(text),
                               asio::redirect_error(asio::use_awaitable, error));
    self.inside_.shutdown(tcp::socket::shutdown_send, error);
    for (std::size_t dropped = 0; dropped < kFarewellBytesMax;) {
      CO_TRY(const std::string more, co_await self.read_some());
      if (more.empty()) break;
      dropped += more.size();
    }
    co_return Result<>();
  };
  auto draining = drain(*this, std::move(bytes));
  (void)co_await with_timeout(services_.clock, services_.timeouts.farewell, "closing",
                              std::move(draining));
  inside_.close(ec);
}

asio::awaitable<Result<std::string>> EgressConnection::read_some() {
  std::string bytes(kReadBytes, '\0');
  error_code ec;
  const std::size_t size = co_await inside_.async_read_some(
      asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
  if (ec && ec != asio::error::eof) co_return fail(net::network_error("reading", ec));
  bytes.resize(size);
  co_return bytes;
}

}  // namespace fathom::sandbox
