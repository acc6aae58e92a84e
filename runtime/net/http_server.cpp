// How it stays small and quick: one coroutine a connection, one sweep for the deadlines of all
// (server_socket.hpp), Beast's parser filling our own values (request_parser.cpp), and answers that
// are written without a round through the scheduler (ServerSocket::write). By strace a request
// costs one sendmsg and 1.7 recv; nginx spends one writev and one recv.
//
// Measured by tests/bench/http_vs_nginx.sh (wrk -t1 -c32, a body of 22 bytes, medians of 3 rounds
// of 4 s, one thread beside one nginx worker), five runs on 2 Xeon cores at a load of 7 to 9: 0.61
// to 0.97 of nginx's requests/s, median 0.87 (80,000 beside 91,000); p99 mostly 4.8 ms beside 4.7
// ms. Promised is 0.4. A run beside a whole test suite gave 0.44, so on a crowded machine the
// margin is thin. Not measured: a quiet machine.
#include "runtime/net/http_server.hpp"

#include "runtime/async/signal.hpp"
#include "runtime/async/task_group.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/net/listener.hpp"
#include "runtime/net/server_connection.hpp"
#include "runtime/net/server_context.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <list>
#include <utility>

namespace fathom::net {
namespace {

// Connections that are told 503. Beyond these the server does not accept, and the kernel's backlog
// fills.
constexpr std::size_t kRefusalsMax = 64;
constexpr Duration kAcceptRetryDelay = std::chrono::milliseconds(100);

Result<> check_exposure(const ServerOptions& options) {
  if (options.listen.is_local() || !options.token.empty() ||
      options.exposure == ServerOptions::Exposure::allowed_without_token)
    return {};
  return fail(ErrorCode::usage, "listen " + options.listen.to_string() +
                                    ": everybody on the network could use it (set a token, "
                                    "or listen on 127.0.0.1)");
}

AccessRules access_rules(const ServerOptions& options) {
  using Hosts = AccessRules::Hosts;
  Hosts hosts = Hosts::any;
  if (options.listen.kind == ListenAddress::Kind::tcp) {
    if (options.listen.is_local()) {
      hosts = Hosts::loopback_only;
    } else if (options.token.empty() || !options.hosts.empty()) {
      hosts = Hosts::addresses;
    }
  }
  return {hosts, options.hosts, options.origins, options.token};
}

}  // namespace

struct HttpServer::Impl {
  ServerContext context;
  Listener listener;
  Signal news{context.executor};  ///< a connection has begun or ended
  TaskGroup tasks{context.executor};
  std::list<ServerConnection*> open{};
  std::size_t refusals = 0;
  Instant drain_deadline = Instant::max();

  asio::awaitable<void> run();
  asio::awaitable<void> accept_loop();
  asio::awaitable<void> sweep_loop();
  using Admission = ServerConnection::Admission;
  asio::awaitable<void> serve(ServerSocket::Socket socket, Admission admission);
};

Result<HttpServer> HttpServer::create(asio::any_io_executor executor, Clock& clock,
                                      ServerOptions options, HttpHandler handler) {
  ENSURE(options.body_bytes_per_second_min > 0, "a rate of 0 would end every body at once");
  if (auto checked = check_exposure(options); !checked) return fail(std::move(checked).error());
  Listener listener = TRY(Listener::create(executor, options.listen));
  AccessRules access = access_rules(options);
  ServerContext context{std::move(executor), clock, std::move(options), std::move(handler),
                        std::move(access),   {}};
  return HttpServer(std::make_unique<Impl>(std::move(context), std::move(listener)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::HttpServer(HttpServer&&) noexcept = default;
HttpServer::~HttpServer() = default;

const ListenAddress& HttpServer::address() const { return impl_->listener.address(); }
std::size_t HttpServer::connections() const { return impl_->open.size(); }

asio::awaitable<void> HttpServer::run() { return impl_->run(); }

asio::awaitable<void> HttpServer::Impl::run() {
  struct StopListening {
    Listener& listener;
    ~StopListening() { listener.close(); }
  } const stop{listener};
  tasks.spawn(accept_loop());
  tasks.spawn(sweep_loop());
  co_await tasks.join();
}

void HttpServer::drain(Instant deadline) {
  Impl& self = *impl_;
  self.context.draining = true;
  self.drain_deadline = deadline;
  self.listener.close();
  // Each may end, and so leave the list, at once: step on before.
  for (auto it = self.open.begin(); it != self.open.end();) (*it++)->on_drain();
  self.news.notify_all();
}

asio::awaitable<void> HttpServer::Impl::accept_loop() {
  while (!context.draining) {
    if (refusals >= kRefusalsMax) {
      co_await news.wait();
      continue;
    }
    boost::system::error_code ec;
    ServerSocket::Socket socket =
        co_await listener.acceptor().async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (context.draining) co_return;
    if (ec) {
      // Out of descriptors or memory, which only others can free; a client that left already is no
      // reason to wait, but not worth a distinction. Throws when this task is what was cancelled.
      co_await context.clock.sleep_for(kAcceptRetryDelay);
      continue;
    }
    const bool is_full = open.size() - refusals >= context.options.connections_max;
    tasks.spawn(serve(std::move(socket), is_full ? Admission::refused : Admission::served));
  }
}

asio::awaitable<void> HttpServer::Impl::serve(ServerSocket::Socket socket, Admission admission) {
  const bool refused = admission == Admission::refused;
  ServerConnection connection(std::move(socket), context);
  struct Entry {
    Impl& server;
    std::size_t refusals;
    std::list<ServerConnection*>::iterator at;
    ~Entry() {
      server.open.erase(at);
      server.refusals -= refusals;
      server.news.notify_all();
      // The sweep may be asleep, and there is nothing left to sweep.
      if (server.context.draining && server.open.empty()) server.tasks.cancel();
    }
  } const entry{*this, refused ? 1U : 0U, open.insert(open.end(), &connection)};
  refusals += entry.refusals;
  news.notify_all();
  co_await connection.run(admission);
}

asio::awaitable<void> HttpServer::Impl::sweep_loop() {
  while (!context.draining || !open.empty()) {
    if (open.empty()) {
      co_await news.wait();  // an idle server does not wake up ten times a second
      continue;
    }
    co_await context.clock.sleep_for(context.options.sweep_interval);
    const Instant now = context.clock.now();
    for (auto it = open.begin(); it != open.end();) {
      ServerConnection& connection = **it++;
      connection.on_sweep(now);
      if (now >= drain_deadline) connection.cancel();
    }
  }
}

}  // namespace fathom::net
