#include "tests/support/server_harness.hpp"

#include "runtime/net/response_head.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <stdexcept>
#include <utility>

namespace fathom::test {
namespace {

// Each waits at most this long for the network; the product only bounds a test that hangs.
constexpr auto kPatience = std::chrono::milliseconds(2);
constexpr int kRoundsMax = 10'000;

net::HttpServer make_server(boost::asio::io_context& io, Clock& clock, net::ServerOptions options,
                            net::HttpHandler handler) {
  auto server =
      net::HttpServer::create(io.get_executor(), clock, std::move(options), std::move(handler));
  if (!server) throw std::runtime_error(server.error().message);
  return std::move(*server);
}

}  // namespace

ServerHarness::ServerHarness(ManualClock& clock, net::HttpHandler handler,
                             net::ServerOptions options)
    : clock_(clock),
      sweep_interval_(options.sweep_interval),
      server_(make_server(io_, clock_, std::move(options), std::move(handler))) {
  boost::asio::co_spawn(
      io_, server_.run(),
      boost::asio::bind_cancellation_slot(cancel_.slot(), [this](std::exception_ptr e) {
        ended_ = true;
        error_ = std::move(e);
      }));
  settle();
}

void ServerHarness::cancel() {
  // From inside: Boost 1.81's co_spawn posts a cancellation that comes from outside, and does not
  // keep what it refers to alive until then.
  boost::asio::post(io_, [this] {
    if (!ended_) cancel_.emit(boost::asio::cancellation_type::terminal);
  });
}

ServerHarness::~ServerHarness() {
  cancel();
  run_until([&] { return ended_; });
}

RawClient ServerHarness::connect() {
  RawClient client(address());
  settle();
  return client;
}

void ServerHarness::run_until(const std::function<bool()>& done) {
  for (int round = 0; round < kRoundsMax; ++round) {
    settle();
    if (done()) return;
    io_.restart();
    io_.run_one_for(kPatience);
  }
  throw std::runtime_error("what the test waits for does not happen");
}

void ServerHarness::settle() {
  do {
    io_.restart();
  } while (io_.poll() != 0);
}

void ServerHarness::deliver(RawClient& client, std::string_view bytes) {
  run_until([&] {
    bytes.remove_prefix(client.send(bytes));
    client.receive();
    return client.was_reset() || (bytes.empty() && client.in_transit() == 0);
  });
  settle();
}

void ServerHarness::advance(Duration duration) {
  for (Duration step{}; duration > Duration::zero(); duration -= step) {
    step = std::min(duration, sweep_interval_);
    clock_.advance(step);
    settle();
  }
}

std::string ServerHarness::read(RawClient& client, std::size_t bytes) {
  run_until([&] {
    client.receive();
    return client.received().size() >= bytes || client.ended() || client.was_reset();
  });
  std::string taken = client.received().substr(0, bytes);
  client.received().erase(0, bytes);
  return taken;
}

std::string ServerHarness::read_to_end(RawClient& client) {
  return read(client, std::string::npos);
}

net::HttpHandler answer_with(std::string body) {
  return [body = std::move(body)](net::HttpRequest,
                                  net::Responder& responder) -> boost::asio::awaitable<void> {
    net::HttpResponse response{200, {{"Content-Type", "text/plain"}}, body};
    co_await responder.send(std::move(response));
  };
}

std::string ServerHarness::response(std::string_view status, std::string_view fields,
                                    std::string_view body) {
  std::string text = "HTTP/1.1 " + std::string(status) + "\r\nDate: ";
  text += net::HttpDate().at(clock_.wall_now());
  text += "\r\n";
  text += fields;
  text += "\r\n";
  text += body;
  return text;
}

std::string ServerHarness::refusal(std::string_view status, std::string_view code,
                                   std::string_view message, Fields more) {
  const std::string body = "{\"error\":{\"code\":\"" + std::string(code) + "\",\"message\":\"" +
                           std::string(message) + "\"}}\n";
  std::string fields(more.before);
  fields +=
      "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  fields += more.after;
  return response(status, fields, body);
}

}  // namespace fathom::test
