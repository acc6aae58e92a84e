// Every way an answer can fail to come, over real sockets.
#include "engine/remote/remote_session.hpp"
#include "runtime/async/cancellation.hpp"
#include "tests/engine/remote/remote_fixture.hpp"

using namespace fathom;
using namespace fathom::engine;
using test::answers;
using test::http_response;
using test::http_stream;
using test::Loopback;
using test::LoopbackPeer;
using test::RemoteClient;
using test::run_on_loopback;
using test::short_stream;

namespace {

// The fault of asking a server that plays `scripts`, its message without the port.
Fault fault_from(std::vector<Loopback::Script> scripts,
                 EngineSpec::Kind kind = RemoteClient::kOpenAi,
                 const KeySources& keys = test::no_keys()) {
  Fault fault;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    net.serve(scripts);
    RemoteClient client(net, kind, keys);
    auto answered = co_await client.ask();
    REQUIRE_FALSE(answered);
    fault = std::move(answered).error();
    fault.message = test::without_port(fault.message, net);
  });
  return fault;
}

const std::string kJson = "Content-Type: application/json\r\n";

}  // namespace

TEST_CASE("a port where nobody listens is refused at once, with what to do", "[engine][e2e]") {
  Fault fault;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    std::uint16_t port = 0;
    {
      asio::ip::tcp::acceptor closed(co_await asio::this_coro::executor,
                                     {asio::ip::make_address("127.0.0.1"), 0});
      port = closed.local_endpoint().port();
    }
    const auto http = net::HttpClient::create(net.clock(), {}, test::env_with({})).value();
    const std::string url = "http://127.0.0.1:" + std::to_string(port);
    const auto remote =
        open_remote({EngineSpec::Kind::openai, url, ""}, {*http, net.clock()}, test::no_keys())
            .value();
    const auto session = remote->open({}).value();
    REQUIRE(session->prepare({}, {}));
    const auto answered = co_await session->sample({});
    REQUIRE_FALSE(answered);
    fault = answered.error();
    CHECK(fault.message.starts_with("openai:" + url + ": "));
  });
  CHECK(fault.kind == FaultClass::refused);
  CHECK(fault.message.ends_with("connection refused (is a server running there?)"));
}

TEST_CASE("an answer cut at any byte is never taken for whole", "[engine][e2e]") {
  const std::string response =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + short_stream();
  const std::size_t whole_at = response.find("\n\ndata: [DONE]") + 2;
  std::size_t whole = 0;
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    std::vector<Loopback::Script> scripts;
    for (std::size_t size = 0; size <= response.size(); ++size)
      scripts.push_back([&response, size](LoopbackPeer& peer) -> asio::awaitable<void> {
        (void)co_await peer.read_request();
        co_await peer.send(response.substr(0, size));
      });
    net.serve(scripts);
    RemoteClient client(net);
    for (std::size_t size = 0; size <= response.size(); ++size) {
      CAPTURE(size);
      const auto answered = co_await client.ask();
      if (size < whole_at) {
        REQUIRE_FALSE(answered);
        CHECK(answered.error().kind == FaultClass::transport);
      } else {
        REQUIRE(answered);
        ++whole;
      }
    }
  });
  CHECK(whole == response.size() - whole_at + 1);
}

TEST_CASE("a connection reset in mid-answer is a broken transport", "[engine][e2e]") {
  const Fault fault = fault_from({[](LoopbackPeer& peer) -> asio::awaitable<void> {
    (void)co_await peer.read_request();
    co_await peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {");
    peer.reset();
  }});
  CHECK(fault.kind == FaultClass::transport);
}

TEST_CASE("a busy server's wish to wait is passed on", "[engine][e2e]") {
  const Fault fault = fault_from(
      {answers(http_response("429 Too Many Requests", kJson + "Retry-After: 3\r\n",
                             R"({"error":{"message":"too many","type":"rate_limit_error"}})"))});
  CHECK(fault == Fault{FaultClass::rate, "openai:http://127.0.0.1#m: 429: too many",
                       std::chrono::seconds(3)});
}

TEST_CASE("a server's own failure and its proxy's page are told apart", "[engine][e2e]") {
  CHECK(fault_from({answers(http_response("500 Oops", kJson, R"({"error":{"message":"m"}})"))}) ==
        Fault{FaultClass::server, "openai:http://127.0.0.1#m: 500: m", {}});
  const Fault page = fault_from(
      {answers(http_response("200 OK", "Content-Type: text/html\r\n", "<html>login</html>"))});
  CHECK(page.kind == FaultClass::refused);
  CHECK(page.message.contains("HTML page"));
}

TEST_CASE("a redirect is not followed", "[engine][e2e]") {
  const Fault fault = fault_from(
      {answers(http_response("307 Moved", "Location: https://other.example/v1/x\r\n", ""))});
  CHECK(fault.message ==
        "openai:http://127.0.0.1#m: 307: it moved to https://other.example: write that address "
        "(redirects are not followed)");
}

TEST_CASE("an unknown model is asked for once more, in the list of models", "[engine][e2e]") {
  std::string listing_request;
  const auto both = [&](LoopbackPeer& peer) -> asio::awaitable<void> {
    (void)co_await peer.read_request();
    co_await peer.send(http_response(
        "404 Not Found", kJson,
        R"({"error":{"message":"The model 'm' does not exist","code":"model_not_found"}})"));
    listing_request = co_await peer.read_request();
    co_await peer.send(
        http_response("200 OK", kJson, R"({"data":[{"id":"alpha"},{"id":"beta"}]})"));
    co_await peer.wait_closed();
  };
  const Fault fault = fault_from({both});
  CHECK(fault.kind == FaultClass::refused);
  CHECK(fault.message ==
        "openai:http://127.0.0.1#m: 404: The model 'm' does not exist; GET /models lists: alpha, "
        "beta");
  CHECK(listing_request.starts_with("GET /v1/models HTTP/1.1\r\n"));
}

TEST_CASE("a key that a server repeats does not reach a fault", "[engine][e2e]") {
  const std::string echo =
      R"({"error":{"message":"Incorrect API key provided: )" + std::string(test::kTestKey) + "\"}}";
  for (const auto kind : {EngineSpec::Kind::openai, EngineSpec::Kind::anthropic}) {
    const Fault fault = fault_from({answers(http_response("401 Unauthorized", kJson, echo))}, kind,
                                   test::own_key());
    CHECK(fault.kind == FaultClass::refused);
    CHECK_FALSE(fault.message.contains(test::kTestKey));
    CHECK(fault.message.contains("Incorrect API key provided: [key]"));
  }
}

TEST_CASE("a certificate that nobody vouches for is refused", "[engine][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    const test::Identity identity = test::TestAuthority::self_signed({.addresses = {"127.0.0.1"}});
    net.serve({[identity](LoopbackPeer& peer) -> asio::awaitable<void> {
      (void)co_await peer.start_tls(identity);
      co_await peer.wait_closed();
    }});
    const auto http = net::HttpClient::create(net.clock(), {}, test::env_with({})).value();
    const std::string url = "https://127.0.0.1:" + std::to_string(net.port());
    const auto remote =
        open_remote({EngineSpec::Kind::openai, url, ""}, {*http, net.clock()}, test::no_keys())
            .value();
    const auto session = remote->open({}).value();
    REQUIRE(session->prepare({}, {}));
    const auto answered = co_await session->sample({});
    REQUIRE_FALSE(answered);
    CHECK(answered.error().kind == FaultClass::refused);
    CHECK(answered.error().message.contains("certificate is not trusted"));
  });
}

TEST_CASE("after a fault the same request can be sent again", "[engine][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    std::string first;
    std::string second;
    net.serve({[&first](LoopbackPeer& peer) -> asio::awaitable<void> {
                 first = co_await peer.read_request();
                 co_await peer.send(http_response("503 Busy", "Connection: close\r\n",
                                                  R"({"error":{"message":"m"}})"));
               },
               answers(http_stream(short_stream()), &second)});
    RemoteClient client(net);
    CHECK_FALSE(co_await client.ask());
    CHECK(co_await client.session->sample({}));
    CHECK(first == second);
  });
}

TEST_CASE("a sample cancelled at any step leaves the session ready", "[engine][e2e]") {
  const auto twice = [](LoopbackPeer& peer) -> asio::awaitable<void> {
    for (int i = 0; i < 2; ++i) {
      (void)co_await peer.read_request();
      co_await peer.send(http_stream(short_stream()));
    }
    co_await peer.wait_closed();
  };
  bool done = false;
  std::size_t handlers = 0;
  for (; !done; ++handlers) {
    CAPTURE(handlers);
    asio::io_context io(1);
    Loopback net(io);
    net.serve({twice, answers(http_stream(short_stream()))});
    RemoteClient client(net);
    const auto prepared = client.session->prepare({{{Role::user, "Hi.", {}, {}, {}}}, 0}, {});
    const std::string body(prepared->body);
    const auto sampling = [&]() -> asio::awaitable<void> {
      done = (co_await client.session->sample({})).has_value();
    };
    const std::exception_ptr ended = test::cancel_after(io, handlers, sampling());
    CHECK(done != is_cancellation(ended));
    bool answered = false;
    const auto again = [&]() -> asio::awaitable<void> {
      answered = (co_await client.session->sample({})).has_value();
      client.http->close_idle_connections();
      co_await net.stop();
    };
    CHECK_FALSE(test::run_to_end(io, again()));
    CHECK(answered);
    CHECK(prepared->body == body);
  }
  CHECK(handlers > 5);
}
