// Servers behind a URL, over real sockets of this machine.
#include "tools/mcp/http_transport.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/loopback.hpp"
#include "tools/mcp/mcp_connection.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <set>

using namespace fathom;
using namespace fathom::tools;
using namespace std::chrono_literals;
using nlohmann::json;
using test::Loopback;
using test::LoopbackPeer;
using test::run_on_loopback;

namespace {

std::string no_env(const char*) { return {}; }

// One request as the server sees it.
struct Heard {
  std::string head;
  json body;
  [[nodiscard]] std::string method() const {
    return body.is_object() ? body.value("method", "") : head.substr(0, head.find(' '));
  }
  [[nodiscard]] bool has(const std::string& line) const {
    return head.find("\r\n" + line + "\r\n") != std::string::npos;
  }
};

std::string http(const std::string& status, const std::string& fields, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::string as_json(const json& body, const std::string& fields = "") {
  return http("200 OK", fields + "Content-Type: application/json\r\n", body.dump());
}

json result_of(const json& request, const json& result) {
  return {{"jsonrpc", "2.0"}, {"id", request["id"]}, {"result", result}};
}

std::string event(const std::string& id, const json& data) {
  return "id: " + id + "\ndata: " + data.dump() + "\n\n";
}

constexpr const char* kStream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

// Answers each request with `answer(heard)`; "" closes the connection. It serves the handshake and
// a list of one tool by itself.
class Server {
 public:
  using Answer = std::function<std::string(const Heard&)>;
  explicit Server(Answer answer) : answer_(std::move(answer)) {}
  std::vector<Heard> heard;
  std::size_t sessions = 0;
  std::optional<std::string> greeting;  ///< to everything, when it is no such server
  bool hangs = false;                   ///< in the middle of what it says to a call

  asio::awaitable<void> serve(LoopbackPeer& peer) {
    for (;;) {
      const std::string request = co_await peer.read_request();
      const std::size_t end = request.find("\r\n\r\n");
      Heard now{request.substr(0, end + 2), nullptr};
      if (request.size() > end + 4) now.body = json::parse(request.substr(end + 4));
      heard.push_back(now);
      const std::string said = say(now);
      if (!said.empty()) co_await peer.send(said);
      if (hangs && now.method() == "tools/call") co_return co_await peer.wait_closed();
      // An event stream has no length: its end is the connection's.
      if (said.empty() || said.find("event-stream") != std::string::npos) co_return;
    }
  }
  [[nodiscard]] const Heard& last(const std::string& method) const {
    const auto found = std::find_if(heard.rbegin(), heard.rend(),
                                    [&](const Heard& one) { return one.method() == method; });
    REQUIRE(found != heard.rend());
    return *found;
  }
  [[nodiscard]] std::size_t count(const std::string& method) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(heard, [&](const Heard& one) { return one.method() == method; }));
  }

 private:
  std::string say(const Heard& now) {
    const std::string method = now.method();
    if (greeting) return *greeting;
    if (method == "initialize")
      return as_json(result_of(now.body, {{"protocolVersion", "2025-03-26"},
                                          {"capabilities", {{"tools", json::object()}}},
                                          {"serverInfo", {{"name", "h"}, {"version", "1"}}}}),
                     "Mcp-Session-Id: session-" + std::to_string(++sessions) + "\r\n");
    if (method == "tools/list")
      return as_json(result_of(
          now.body, {{"tools", {{{"name", "a"}, {"inputSchema", {{"type", "object"}}}}}}}));
    if (method.starts_with("notifications/") || method == "DELETE")
      return http("202 Accepted", "", "");
    return answer_(now);
  }

  Answer answer_;
};

// Runs `body(connection, net)` with a connection to `server` that is not started.
template <class Body>
void connected(Server& server, Body body) {
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve(
        std::vector<Loopback::Script>(20, [&](LoopbackPeer& peer) { return server.serve(peer); }));
    const auto client = net::HttpClient::create(net.clock(), {}, no_env).value();
    const auto executor = co_await asio::this_coro::executor;
    HttpTransport::Server place;
    place.url.origin = net.origin();
    place.url.target = "/mcp";
    place.headers.add("Authorization", "Bearer t");
    McpConnection connection(
        executor, net.clock(), "h",
        std::make_unique<HttpTransport>(executor, net.clock(), *client, std::move(place)));
    co_await body(connection, net);
    co_await connection.close();
  });
}

// Runs `body(connection, net)` between start and close of a connection to `server`.
template <class Body>
void with(Server& server, Body body) {
  connected(server, [&](McpConnection& connection, Loopback& net) -> asio::awaitable<void> {
    const auto started = co_await connection.start();
    INFO((started ? "" : started.error().message));
    CHECK(started);
    if (started) co_await body(connection, net);
  });
}

asio::awaitable<Result<std::string>> call(McpConnection& connection) {
  auto calling = connection.call("a", "{}", {});
  co_return co_await std::move(calling);
}

const json kDone = {{"content", json::array()}};

}  // namespace

TEST_CASE("each frame is a post, in order, within one session", "[tools][e2e]") {
  Server server([](const Heard& heard) { return as_json(result_of(heard.body, kDone)); });
  with(server, [&](McpConnection& connection, Loopback&) -> asio::awaitable<void> {
    CHECK((co_await call(connection)).value() == kDone.dump());
  });
  std::vector<std::string> methods;
  for (const Heard& heard : server.heard) methods.push_back(heard.method());
  CHECK(methods == std::vector<std::string>{"initialize", "notifications/initialized", "tools/list",
                                            "tools/call", "DELETE"});
  const Heard& first = server.heard.front();
  CHECK(first.head.starts_with("POST /mcp HTTP/1.1\r\n"));
  CHECK(first.has("Accept: application/json, text/event-stream"));
  CHECK(first.has("Authorization: Bearer t"));
  CHECK(first.head.find("Mcp-Session-Id") == std::string::npos);
  const Heard& later = server.last("tools/call");
  CHECK(later.has("Mcp-Session-Id: session-1"));
  CHECK(later.has("MCP-Protocol-Version: 2025-03-26"));
  CHECK(server.last("DELETE").has("Mcp-Session-Id: session-1"));
}

TEST_CASE("an answer may come as an event stream, after progress and a ping", "[tools][e2e]") {
  Server server([](const Heard& heard) -> std::string {
    if (heard.method() != "tools/call") return http("202 Accepted", "", "");
    const json token = heard.body["params"]["_meta"]["progressToken"];
    return kStream +
           event("1", {{"jsonrpc", "2.0"},
                       {"method", "notifications/progress"},
                       {"params", {{"progressToken", token}, {"progress", 1}}}}) +
           event("2", {{"jsonrpc", "2.0"}, {"id", "p"}, {"method", "ping"}}) +
           event("3", result_of(heard.body, kDone));
  });
  std::size_t lines = 0;
  with(server, [&](McpConnection& connection, Loopback&) -> asio::awaitable<void> {
    auto calling = connection.call("a", "{}", [&](std::string_view) { ++lines; });
    CHECK((co_await std::move(calling)).value() == kDone.dump());
  });
  CHECK(lines == 1);
}

TEST_CASE("a stream that breaks is taken up behind its last event", "[tools][e2e]") {
  json request;
  Server server([&](const Heard& heard) -> std::string {
    if (heard.method() == "tools/call") {
      request = heard.body;
      return std::string(kStream) + "retry: 500\n" +
             event("7", {{"jsonrpc", "2.0"}, {"method", "notifications/x"}});
    }
    return kStream + event("8", result_of(request, kDone));
  });
  with(server, [&](McpConnection& connection, Loopback& net) -> asio::awaitable<void> {
    TaskGroup group(co_await asio::this_coro::executor);
    bool answered = false;
    const auto ask = [&]() -> asio::awaitable<void> {
      answered = (co_await call(connection)).has_value();
    };
    group.spawn(ask());
    // The stream's end lies behind many handlers: time passes when the client waits for it.
    while (group.size() > 0) co_await net.let_time_pass(500ms);
    CHECK(answered);
    co_await group.join();
  });
  CHECK(server.last("GET").has("Last-Event-ID: 7"));
  CHECK(server.count("tools/call") == 1);
}

TEST_CASE("a stream that ends without the answer fails the call", "[tools][e2e]") {
  Server server([](const Heard&) {
    return kStream + std::string("data: {\"jsonrpc\":\"2.0\",\"method\":\"m\"}\n\n");
  });
  with(server, [](McpConnection& connection, Loopback&) -> asio::awaitable<void> {
    CHECK((co_await call(connection)).error() ==
          Error{ErrorCode::protocol, "mcp server h: the server's stream ended without the answer"});
  });
}

TEST_CASE("a server that forgot the session is greeted again, and the call made once more",
          "[tools][e2e]") {
  std::size_t calls = 0;
  Server server([&](const Heard& heard) {
    return ++calls == 1 ? http("404 Not Found", "", "") : as_json(result_of(heard.body, kDone));
  });
  with(server, [](McpConnection& connection, Loopback&) -> asio::awaitable<void> {
    CHECK(co_await call(connection));
  });
  CHECK(server.sessions == 2);
  CHECK(server.last("tools/call").has("Mcp-Session-Id: session-2"));
  // The forgotten session is not ended again.
  CHECK(server.count("DELETE") == 1);
}

TEST_CASE("a place where no server is says that the path may be wrong", "[tools][e2e]") {
  Server server([](const Heard&) { return ""; });
  server.greeting = http("404 Not Found", "Content-Type: text/html\r\n", "<!DOCTYPE html>");
  connected(server, [&](McpConnection& connection, Loopback&) -> asio::awaitable<void> {
    const auto started = co_await connection.start();
    CHECK(started.error().message == "mcp server h: HTTP 404 (is the URL's path right?)");
  });
}

TEST_CASE("what a server refuses is the call's error, in one line", "[tools][e2e]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {http("500 Internal Server Error", "", "broken\nbadly"),
       "mcp server h: HTTP 500: broken\\x0abadly"},
      {http("502 Bad Gateway", "Content-Type: text/html\r\n", "<!DOCTYPE html>"),
       "mcp server h: HTTP 502"},
      {http("401 Unauthorized", "", ""),
       "mcp server h: HTTP 401: the server asks for authorization; give it a header"},
      {http("202 Accepted", "", ""), "mcp server h: the server's stream ended without the answer"},
      {as_json("nonsense"), "mcp server h: broke the protocol: a message that is no object"},
  };
  for (const auto& [said, error] : cases) {
    Server server([&](const Heard&) { return said; });
    with(server, [&](McpConnection& connection, Loopback&) -> asio::awaitable<void> {
      CHECK((co_await call(connection)).error().message == error);
    });
  }
}

TEST_CASE("a cancelled call tells the server in a post of its own", "[tools][e2e]") {
  Server server([](const Heard&) -> std::string { return kStream; });
  server.hangs = true;
  with(server, [&](McpConnection& connection, Loopback& net) -> asio::awaitable<void> {
    TaskGroup group(co_await asio::this_coro::executor);
    const auto ask = [&]() -> asio::awaitable<void> { (void)co_await call(connection); };
    group.spawn(ask());
    while (server.count("tools/call") == 0) co_await net.let_time_pass(0ms);
    group.cancel();
    co_await group.join();
  });
  const json params = server.last("notifications/cancelled").body["params"];
  CHECK(params["requestId"] == server.last("tools/call").body["id"]);
}

TEST_CASE("cancelled at any step, a session over HTTP leaves nothing behind", "[tools][e2e]") {
  bool is_done = false;
  for (std::size_t handlers = 1; !is_done; ++handlers) {
    REQUIRE(handlers < 2'000);
    INFO("cancelled after " << handlers << " handlers");
    const std::size_t sockets = test::open_sockets();
    {
      Server server([](const Heard& heard) { return as_json(result_of(heard.body, kDone)); });
      asio::io_context io(1);
      Loopback loopback(io);
      loopback.serve(std::vector<Loopback::Script>(
          20, [&](LoopbackPeer& peer) { return server.serve(peer); }));
      const auto client = net::HttpClient::create(loopback.clock(), {}, no_env).value();
      HttpTransport::Server place;
      place.url.origin = loopback.origin();
      McpConnection connection(io.get_executor(), loopback.clock(), "h",
                               std::make_unique<HttpTransport>(io.get_executor(), loopback.clock(),
                                                               *client, std::move(place)));
      const auto body = [&]() -> asio::awaitable<void> {
        if (co_await connection.start()) is_done = (co_await call(connection)).has_value();
      };
      (void)test::cancel_after(io, handlers, body());
      const auto end = [&]() -> asio::awaitable<void> {
        co_await connection.close();
        client->close_idle_connections();
        co_await loopback.stop();
      };
      CHECK(test::run_to_end(io, end()) == nullptr);
    }
    CHECK(test::open_sockets() == sockets);
  }
}

TEST_CASE("what a policy is asked about a server is its host and port", "[tools]") {
  asio::io_context io;
  ManualClock clock;
  const auto client = net::HttpClient::create(clock, {}, no_env).value();
  const HttpTransport transport(io.get_executor(), clock, *client,
                                {net::Url::parse("https://example.com/mcp").value(), {}});
  const auto request = std::get<policies::request::Connect>(transport.request());
  CHECK(request.host == "example.com");
  CHECK(request.port == 443);
}
