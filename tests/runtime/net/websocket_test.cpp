#include "runtime/net/websocket.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/server_harness.hpp"
#include "tests/support/websocket_frame.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <functional>
#include <random>
#include <stdexcept>
#include <vector>

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;
using test::client_frame;
using test::close_payload;
using test::Fin;
using test::Opcode;
using test::RawClient;
using test::server_frame;
using test::ServerHarness;

namespace {

constexpr std::string_view kHandshake =
    "GET /socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
// The key and its answer are the example of RFC 6455 §1.3.
constexpr std::string_view kAccepted =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nServer: fathom\r\n\r\n";

using Session = std::function<asio::awaitable<void>(WebSocket&)>;

HttpHandler upgrade_to(const Session& session, const WebSocketOptions& options = {}) {
  return [=](HttpRequest request, Responder& responder) -> asio::awaitable<void> {
    WebSocket* socket = co_await responder.upgrade(request, options);
    if (socket) co_await session(*socket);
  };
}

/// Sends each message back, in brackets, and remembers how the connection ended.
struct Echo {
  bool ended = false;
  std::optional<std::uint16_t> peer_close_code{};

  Session session() {
    return [this](WebSocket& socket) -> asio::awaitable<void> {
      while (auto message = co_await socket.read()) {
        const bool is_text = message->kind == WebSocketMessage::Kind::text;
        const std::string answer = (is_text ? "text [" : "binary [") + message->data + "]";
        co_await socket.write(answer);
      }
      ended = true;
      peer_close_code = socket.peer_close_code();
    };
  }
};

/// A client that has shaken hands.
RawClient open(ServerHarness& server) {
  RawClient client = server.connect();
  server.deliver(client, std::string(kHandshake) + "\r\n");
  CHECK(server.read(client, kAccepted.size()) == kAccepted);
  return client;
}

void expect(ServerHarness& server, RawClient& client, const std::string& bytes) {
  CHECK(server.read(client, bytes.size()) == bytes);
}

std::string close_frame(std::uint16_t code, std::string_view reason = "") {
  return server_frame(Opcode::close, close_payload(code, reason));
}

}  // namespace

TEST_CASE("messages travel both ways, also those sent with the handshake", "[runtime][e2e]") {
  ManualClock clock;
  Echo echo;
  ServerHarness server(clock, upgrade_to(echo.session()));
  RawClient client = server.connect();
  server.deliver(client, std::string(kHandshake) + "\r\n" +
                             client_frame(Opcode::text, "h\xc3\xa9") +
                             client_frame(Opcode::binary, std::string_view("\0\xff", 2)));
  expect(server, client,
         std::string(kAccepted) + server_frame(Opcode::text, "text [h\xc3\xa9]") +
             server_frame(Opcode::text, std::string_view("binary [\0\xff]", 11)));
  // In fragments, with a control frame between them.
  server.deliver(client, client_frame(Opcode::text, "one ", Fin::no) +
                             client_frame(Opcode::ping, "?") +
                             client_frame(Opcode::continuation, "two"));
  expect(server, client,
         server_frame(Opcode::pong, "?") + server_frame(Opcode::text, "text [one two]"));
  server.deliver(client, client_frame(Opcode::text, ""));
  expect(server, client, server_frame(Opcode::text, "text []"));
}

TEST_CASE("a bad handshake gets an answer in JSON and its handler nothing", "[runtime][e2e]") {
  ManualClock clock;
  Echo echo;
  ServerHarness server(clock, upgrade_to(echo.session(), {.subprotocols = {"fathom.trace.v1"}}));
  RawClient plain = server.connect();
  server.deliver(plain, "GET /socket HTTP/1.1\r\nHost: localhost\r\n\r\n");
  expect(server, plain,
         server.refusal(
             "400 Bad Request", "bad_handshake",
             "this path speaks WebSocket: Connection: Upgrade and Upgrade: websocket are missing",
             {"", ""}));
  RawClient foreign = server.connect();
  server.deliver(foreign, std::string(kHandshake) + "Sec-WebSocket-Protocol: chat\r\n\r\n");
  expect(server, foreign,
         server.refusal("400 Bad Request", "bad_handshake",
                        "no subprotocol in common; offer one of: fathom.trace.v1", {"", ""}));
  CHECK_FALSE(echo.ended);

  RawClient ours = server.connect();
  server.deliver(ours,
                 std::string(kHandshake) + "Sec-WebSocket-Protocol: chat, fathom.trace.v1\r\n\r\n");
  const std::string accepted = server.read(ours, kAccepted.size() + 41);
  CHECK(accepted.find("Sec-WebSocket-Protocol: fathom.trace.v1\r\n") != std::string::npos);
}

TEST_CASE("what is wrong with a client's frames closes with the code that fits", "[runtime][e2e]") {
  struct Row {
    const char* what;
    std::string bytes;
    std::uint16_t code;
  };
  const Row rows[] = {
      {"oversized", client_frame(Opcode::text, std::string(1001, 'x')), 1009},
      {"oversized in sum",
       client_frame(Opcode::text, std::string(600, 'x'), Fin::no) +
           client_frame(Opcode::continuation, std::string(600, 'x')),
       1009},
      {"said to be huge", test::frame_start(Opcode::text, 1ULL << 40, Fin::yes, 0x80) + "mask",
       1009},
      {"not UTF-8",
       client_frame(Opcode::text,
                    "a\xff"
                    "b"),
       1007},
      {"half a code point", client_frame(Opcode::text, "\xc3"), 1007},
      {"a surrogate", client_frame(Opcode::text, "\xed\xa0\x80"), 1007},
      {"not masked", server_frame(Opcode::text, "x"), 1002},
      {"a continuation of nothing", client_frame(Opcode::continuation, "x"), 1002},
      {"an unknown opcode", client_frame(static_cast<Opcode>(3), "x"), 1002},
      {"a ping too long", client_frame(Opcode::ping, std::string(126, 'x')), 1002},
      {"a close code that may not be sent", client_frame(Opcode::close, close_payload(1005)), 1002},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    ManualClock clock;
    Echo echo;
    ServerHarness server(clock, upgrade_to(echo.session(), {.message_bytes_max = 1000}));
    RawClient client = open(server);
    server.deliver(client, row.bytes);
    CHECK(server.read_to_end(client) == close_frame(row.code));
    CHECK(client.ended());
    CHECK(echo.ended);
  }
}

TEST_CASE("a message of exactly the allowed size passes", "[runtime][e2e]") {
  ManualClock clock;
  Echo echo;
  ServerHarness server(clock, upgrade_to(echo.session(), {.message_bytes_max = 1000}));
  RawClient client = open(server);
  const std::string message(1000, 'x');
  server.deliver(client, client_frame(Opcode::text, message));
  expect(server, client, server_frame(Opcode::text, "text [" + message + "]"));
}

TEST_CASE("a client's close is answered and its code told", "[runtime][e2e]") {
  struct Row {
    std::string payload;
    std::uint16_t seen;
    std::uint16_t answered;
  };
  for (const Row& row : {Row{close_payload(4001, "bye"), 4001, 4001}, Row{"", 1005, 1000}}) {
    ManualClock clock;
    Echo echo;
    ServerHarness server(clock, upgrade_to(echo.session()));
    RawClient client = open(server);
    server.deliver(client, client_frame(Opcode::close, row.payload));
    CHECK(server.read_to_end(client) == close_frame(row.answered));
    CHECK(echo.ended);
    CHECK(echo.peer_close_code == row.seen);
    client.close();
    server.run_until([&] { return server.server().connections() == 0; });
  }
}

TEST_CASE("a client that vanishes ends the reading without a close code", "[runtime][e2e]") {
  for (const bool with_reset : {false, true}) {
    ManualClock clock;
    Echo echo;
    ServerHarness server(clock, upgrade_to(echo.session()));
    RawClient client = open(server);
    if (with_reset) {
      client.close_with_reset();
    } else {
      client.close();
    }
    server.run_until([&] { return echo.ended; });
    CHECK(echo.peer_close_code == std::nullopt);
    server.advance(100ms);
    CHECK(server.server().connections() == 0);
  }
}

TEST_CASE("the end of the handler closes with 1000, its failure with 1011", "[runtime][e2e]") {
  for (const bool fails : {false, true}) {
    ManualClock clock;
    ServerHarness server(clock, upgrade_to([fails](WebSocket& socket) -> asio::awaitable<void> {
                           co_await socket.write("last words");
                           if (fails) throw std::runtime_error("boom");
                         }));
    RawClient client = open(server);
    expect(server, client,
           server_frame(Opcode::text, "last words") + close_frame(fails ? 1011 : 1000));
    server.deliver(client, client_frame(Opcode::close, close_payload(1000)));
    CHECK(server.read_to_end(client).empty());
  }
}

TEST_CASE("closing waits for the client's answer, but not for ever", "[runtime][e2e]") {
  for (const bool answers : {true, false}) {
    INFO((answers ? "answered" : "ignored"));
    ManualClock clock;
    bool closed = false;
    ServerHarness server(clock, upgrade_to([&](WebSocket& socket) -> asio::awaitable<void> {
                           co_await socket.close(static_cast<CloseCode>(4408),
                                                 std::string(200, 'r'));
                           closed = true;
                           CHECK_FALSE(socket.is_open());
                           CHECK_FALSE(socket.try_write("too late"));
                           CHECK_FALSE(co_await socket.read());
                         }));
    RawClient client = open(server);
    expect(server, client, close_frame(4408, std::string(123, 'r')));
    server.advance(4s);
    CHECK_FALSE(closed);
    if (answers) {
      server.deliver(client, client_frame(Opcode::text, "crossed on the way") +
                                 client_frame(Opcode::close, close_payload(4408)));
    } else {
      server.advance(1s);
    }
    CHECK(closed);
    CHECK(server.read_to_end(client).empty());
  }
}

TEST_CASE("draining closes WebSockets with 1001", "[runtime][e2e]") {
  ManualClock clock;
  Echo echo;
  ServerHarness server(clock, upgrade_to(echo.session()));
  RawClient polite = open(server);
  RawClient deaf = open(server);
  server.server().drain(clock.now() + 20s);
  expect(server, polite, close_frame(1001, "the server is shutting down"));
  server.deliver(polite, client_frame(Opcode::close, close_payload(1001)));
  CHECK(server.read_to_end(polite).empty());
  CHECK(echo.ended);
  CHECK_FALSE(server.ended());
  server.advance(10s);
  CHECK(server.ended());
  CHECK(server.error() == nullptr);
  CHECK(server.read_to_end(deaf) == close_frame(1001, "the server is shutting down"));
}

TEST_CASE("a silent client is pinged, and dropped when it does not answer", "[runtime][e2e]") {
  ManualClock clock;
  Echo echo;
  ServerHarness server(clock, upgrade_to(echo.session()));
  RawClient alive = open(server);
  RawClient dead = open(server);
  const std::string ping = server_frame(Opcode::ping, "");
  for (int round = 0; round < 2; ++round) {
    server.advance(15s);
    expect(server, alive, ping);
    server.deliver(alive, client_frame(Opcode::pong, ""));
  }
  CHECK_FALSE(echo.ended);
  server.advance(16s);
  CHECK(server.read_to_end(dead) == ping + ping);
  CHECK(dead.was_reset());
  CHECK(server.server().connections() == 1);
  server.deliver(alive, client_frame(Opcode::text, "still here"));
  expect(server, alive, ping + server_frame(Opcode::text, "text [still here]"));
}

TEST_CASE("one slow client of many fills its own queue and nobody else's", "[runtime][e2e]") {
  ManualClock clock;
  std::vector<WebSocket*> sockets;
  int left = 0;
  struct Leaving {
    int& count;
    ~Leaving() { ++count; }
  };
  ServerHarness server(clock, upgrade_to(
                                  [&](WebSocket& socket) -> asio::awaitable<void> {
                                    const Leaving leaving{left};
                                    sockets.push_back(&socket);
                                    while (co_await socket.read()) {
                                    }
                                  },
                                  {.queued_bytes_max = 100'000}));
  RawClient slow = open(server);
  RawClient quick = open(server);
  REQUIRE(sockets.size() == 2);
  const std::string message(10'000, 'x');
  const std::string frame = server_frame(Opcode::text, message);
  bool refused = false;
  for (int i = 0; i < 2000 && !refused; ++i) {
    refused = !sockets[0]->try_write(message);
    REQUIRE(sockets[1]->try_write(message));
    REQUIRE((server.read(quick, frame.size()) == frame));
  }
  CHECK(refused);
  CHECK(sockets[0]->queued_bytes() <= 100'000);
  CHECK(sockets[1]->queued_bytes() == 0);

  server.advance(31s);  // it takes nothing for the write stall timeout
  CHECK(left == 1);
  CHECK(server.server().connections() == 1);
  server.read_to_end(slow);
  CHECK(slow.was_reset());
}

TEST_CASE("a writer waits for room and learns when there will never be any", "[runtime][e2e]") {
  ManualClock clock;
  std::size_t written = 0;
  bool told = false;
  ServerHarness server(clock, upgrade_to(
                                  [&](WebSocket& socket) -> asio::awaitable<void> {
                                    const std::string message(200'000,
                                                              'x');  // more than the queue holds
                                    while (co_await socket.write(message)) ++written;
                                    told = true;
                                  },
                                  {.queued_bytes_max = 100'000}));
  RawClient client = open(server);
  server.settle();
  const std::size_t before = written;
  CHECK(before > 0);
  CHECK(before < 1000);
  client.receive();
  server.run_until([&] { return written > before; });
  client.close_with_reset();
  server.run_until([&] { return told; });
}

TEST_CASE("a client that pings and never reads is dropped", "[runtime][e2e]") {
  ManualClock clock;
  Echo echo;
  ServerHarness server(clock, upgrade_to(echo.session(), {.queued_bytes_max = 1000}));
  RawClient client = open(server);
  std::string pings;
  for (int i = 0; i < 1000; ++i) pings += client_frame(Opcode::ping, std::string(125, '?'));
  server.run_until([&] {
    client.send(pings);
    return echo.ended;
  });
  server.advance(31s);
  CHECK(server.server().connections() == 0);
}

TEST_CASE("Beast's own client and ours agree on large messages", "[runtime][e2e]") {
  ManualClock clock;
  Echo echo;
  ServerHarness server(clock, upgrade_to(echo.session()));
  bool done = false;
  const auto talk = [&]() -> asio::awaitable<void> {
    boost::beast::websocket::stream<asio::ip::tcp::socket> client(server.io());
    const asio::ip::tcp::endpoint endpoint(asio::ip::address_v4::loopback(), server.address().port);
    co_await client.next_layer().async_connect(endpoint, asio::use_awaitable);
    co_await client.async_handshake("localhost", "/", asio::use_awaitable);
    std::mt19937 random(1);
    for (const std::size_t size : {1U, 125U, 126U, 4096U, 65535U, 65536U, 262'144U}) {
      std::string message(size, ' ');
      for (char& c : message) c = static_cast<char>('a' + random() % 26);
      co_await client.async_write(asio::buffer(message), asio::use_awaitable);
      boost::beast::flat_buffer buffer;
      co_await client.async_read(buffer, asio::use_awaitable);
      CHECK((boost::beast::buffers_to_string(buffer.data()) == "text [" + message + "]"));
    }
    co_await client.async_close(boost::beast::websocket::close_code::normal, asio::use_awaitable);
    done = true;
  };
  std::exception_ptr error;
  asio::co_spawn(server.io(), talk(), [&](std::exception_ptr e) { error = std::move(e); });
  server.run_until([&] { return done || error; });
  CHECK(error == nullptr);
  CHECK(echo.peer_close_code == 1000);
}
