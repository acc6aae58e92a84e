// net_bench: what the network costs.
//
//   net_bench serve [ADDRESS]   an HttpServer on one thread that answers every GET with a small
//   body, for a load
//                               tool; prints its address (tests/bench/http_vs_nginx.sh)
//   net_bench websocket [N]     N 64-byte text messages each way over loopback, against Beast's
//   blocking client on a
//                               thread of its own; prints messages/s
#include "runtime/net/http_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

using namespace fathom;
using namespace fathom::net;

namespace {

constexpr std::size_t kMessageBytes = 64;

void fail_with(std::string_view why) {
  std::fprintf(stderr, "net_bench: %.*s\n", static_cast<int>(why.size()), why.data());
  std::exit(1);
}

/// A server and its thread's event loop.
class Server {
 public:
  Server(const ListenAddress& listen, HttpHandler handler)
      : server_(create(listen, std::move(handler))) {}

  [[nodiscard]] const ListenAddress& address() const { return server_.address(); }

  /// Serves on the calling thread until stop().
  void run() {
    asio::co_spawn(io_, server_.run(), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
    io_.run();
  }
  /// From any thread.
  void stop() {
    asio::post(io_, [this] { server_.drain(clock_.now()); });
  }

 private:
  HttpServer create(const ListenAddress& listen, HttpHandler handler) {
    ServerOptions options;
    options.listen = listen;
    auto server =
        HttpServer::create(io_.get_executor(), clock_, std::move(options), std::move(handler));
    if (!server) fail_with(server.error().message);
    return std::move(*server);
  }

  asio::io_context io_{1};
  SystemClock clock_;
  HttpServer server_;
};

void serve_hello(const ListenAddress& listen) {
  const auto hello = [](HttpRequest, Responder& responder) -> asio::awaitable<void> {
    HttpResponse response{200, {{"Content-Type", "text/plain"}}, "hello from one thread\n"};
    co_await responder.send(std::move(response));
  };
  Server server(listen, hello);
  std::printf("%s\n", server.address().to_string().c_str());
  std::fflush(stdout);
  server.run();
}

using Client = boost::beast::websocket::stream<asio::ip::tcp::socket>;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void connect(Client& client, std::uint16_t port, const char* target) {
  const asio::ip::tcp::endpoint server(asio::ip::address_v4::loopback(), port);
  client.next_layer().connect(server);
  client.next_layer().set_option(asio::ip::tcp::no_delay(true));
  client.text(true);
  client.handshake("localhost", target);
}

/// The server sends `count` messages as fast as the client takes them.
double receive_all(std::uint16_t port, std::size_t count) {
  asio::io_context io(1);
  Client client(io);
  connect(client, port, "/send");
  boost::beast::flat_buffer buffer;
  return seconds_of([&] {
    for (std::size_t i = 0; i < count; ++i) {
      client.read(buffer);
      if (buffer.size() != kMessageBytes) fail_with("a message of the wrong size arrived");
      buffer.clear();
    }
  });
}

/// The client sends `count` messages; the time ends when the server has read them all and says so.
double send_all(std::uint16_t port, std::size_t count) {
  asio::io_context io(1);
  Client client(io);
  connect(client, port, "/receive");
  const std::string message(kMessageBytes, 'x');
  boost::beast::flat_buffer buffer;
  return seconds_of([&] {
    for (std::size_t i = 0; i < count; ++i) client.write(asio::buffer(message));
    client.read(buffer);
  });
}

void measure_websocket(std::size_t count) {
  const auto handler = [count](HttpRequest request, Responder& responder) -> asio::awaitable<void> {
    WebSocket* socket = co_await responder.upgrade(request, {});
    if (!socket) co_return;
    if (request.target == "/send") {
      const std::string message(kMessageBytes, 'x');
      for (std::size_t i = 0; i < count; ++i)
        if (!socket->try_write(message)) co_await socket->write(message);
      co_return;
    }
    for (std::size_t i = 0; i < count; ++i)
      if (!co_await socket->read()) co_return;
    co_await socket->write("all received");
  };
  Server server({}, handler);
  const std::jthread clients([&] {
    const auto rate = [&](double seconds) { return static_cast<double>(count) / seconds; };
    for (int round = 1; round <= 3; ++round) {
      const double to_client = rate(receive_all(server.address().port, count));
      const double to_server = rate(send_all(server.address().port, count));
      std::printf("websocket %d: %9.0f messages/s to the client, %9.0f to the server\n", round,
                  to_client, to_server);
    }
    server.stop();
  });
  server.run();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "serve") {
    auto listen = ListenAddress::parse(argc > 2 ? argv[2] : "127.0.0.1:0");
    if (!listen) fail_with(listen.error().message);
    serve_hello(*listen);
  } else if (mode == "websocket") {
    measure_websocket(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 500'000);
  } else {
    fail_with("say 'serve [ADDRESS]' or 'websocket [N]'");
  }
}
