// Sessions against a real server of this machine: what goes over the wire and comes back.
#include "engine/remote/remote_session.hpp"

#include "engine/text/json_value.hpp"
#include "runtime/net/network_dialer.hpp"
#include "tests/engine/remote/remote_fixture.hpp"
#include "tests/engine/remote/wire_fixture.hpp"
#include "tests/support/fixed_resolver.hpp"
#include "tests/support/server_harness.hpp"

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

TEST_CASE("a recorded answer comes through a session, told as it comes", "[engine][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    std::string request;
    net.serve({answers(http_stream(test::recorded("openai_calls.sse")), &request)});
    RemoteClient client(net, RemoteClient::kOpenAi, test::own_key(), test::full_setup());
    std::string content;
    const SampleObserver observer{[&content](const SampleDelta& delta) {
                                    if (delta.kind == SampleDelta::Kind::content)
                                      content += delta.text;
                                  },
                                  {}};
    const auto answered = co_await client.ask(observer);
    REQUIRE(answered);
    CHECK(answered->sample.message.calls.size() == 2);
    CHECK(answered->model == "deepseek-v4-flash");
    CHECK(content == answered->sample.message.text);
    CHECK(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
    CHECK(request.contains(std::string("Authorization: Bearer ") + test::kTestKey + "\r\n"));
    CHECK(request.contains(R"("messages":[{"role":"system")"));
    CHECK(client.http->idle_connections() == 1);
  });
}

TEST_CASE("Anthropic's form has its own headers, and no key unless there is one", "[engine][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    const std::string stream = http_stream(test::recorded("anthropic_calls.sse"));
    std::string with_key;
    std::string without;
    net.serve({answers(stream, &with_key), answers(stream, &without)});
    RemoteClient client(net, EngineSpec::Kind::anthropic, test::own_key());
    CHECK(co_await client.ask());
    RemoteClient keyless(net, EngineSpec::Kind::anthropic);
    CHECK(co_await keyless.ask());
    CHECK(with_key.starts_with("POST /v1/messages HTTP/1.1\r\n"));
    CHECK(with_key.contains(std::string("x-api-key: ") + test::kTestKey + "\r\n"));
    CHECK(with_key.contains("anthropic-version: 2023-06-01\r\n"));
    CHECK_FALSE(without.contains("x-api-key"));
    CHECK_FALSE(without.contains("Authorization"));
  });
}

TEST_CASE("each request begins with the stable bytes of the one before", "[engine][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    for (const auto kind : {EngineSpec::Kind::openai, EngineSpec::Kind::anthropic}) {
      RemoteClient client(net, kind, test::no_keys(), test::full_setup());
      const Transcript whole = test::full_transcript();
      std::string stable;
      for (std::size_t count = 1; count <= whole.messages.size(); ++count) {
        const Transcript part{
            {whole.messages.begin(), whole.messages.begin() + static_cast<std::ptrdiff_t>(count)},
            0};
        // What a request may do differently must not show in the next one's beginning.
        const RequestLimits limits{count * 10, count % 2 == 0};
        const auto prepared = client.session->prepare(part, limits);
        REQUIRE(prepared);
        const auto differs =
            std::ranges::mismatch(prepared->body, stable).in1 - prepared->body.begin();
        CAPTURE(count);
        CHECK(static_cast<std::size_t>(differs) == stable.size());  // the first divergent byte
        CHECK(parse_json(prepared->body).has_value());
        REQUIRE(prepared->starts.size() == count);
        for (const std::size_t start : prepared->starts) {
          CHECK(prepared->body.substr(start, 8) == "{\"role\":");
          CHECK(start < prepared->stable_bytes);
        }
        stable = prepared->body.substr(0, prepared->stable_bytes);
        // Preparing the same again freezes the same.
        const std::string body(prepared->body);
        CHECK(client.session->prepare(part, limits)->body == body);
      }
      // A session opened again writes the same bytes.
      RemoteClient again(net, kind, test::no_keys(), test::full_setup());
      const auto prepared = again.session->prepare(whole, {});
      CHECK(prepared->body.substr(0, prepared->stable_bytes) == stable);
    }
    co_return;
  });
}

TEST_CASE("what was sent may only change with a new epoch", "[engine][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    RemoteClient client(net);
    Transcript transcript = test::full_transcript();
    REQUIRE(client.session->prepare(transcript, {}));
    Transcript changed = transcript;
    changed.messages[2].results[0].content += "x";
    const auto refused = client.session->prepare(changed, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.ends_with(
        "message 2 of the transcript is not the one that was sent (only a new epoch may change "
        "it)"));
    Transcript shorter = transcript;
    shorter.messages.pop_back();
    CHECK_FALSE(client.session->prepare(shorter, {}));
    changed.epoch = 1;
    const auto prepared = client.session->prepare(changed, {});
    REQUIRE(prepared);
    CHECK(prepared->body.contains("a.c\\nx"));
    co_return;
  });
}

TEST_CASE("a fork goes on from where its session is, and leaves it alone", "[engine][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    RemoteClient client(net);
    Transcript transcript = test::full_transcript();
    const auto prepared = client.session->prepare(transcript, {});
    const std::string before(prepared->body);
    const auto fork = client.session->fork().value();
    Transcript other = transcript;
    other.messages.push_back({Role::user, "aside", {}, {}, {}});
    const auto forked = fork->prepare(other, {});
    CHECK(forked->body.starts_with(before.substr(0, prepared->stable_bytes)));
    CHECK(client.session->prepare(transcript, {})->body == before);
    co_return;
  });
}

TEST_CASE("a signature comes back in the request after the answer", "[engine][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    net.serve({answers(http_stream(test::recorded("anthropic_calls.sse")))});
    RemoteClient client(net, EngineSpec::Kind::anthropic);
    const auto answered = co_await client.ask();
    REQUIRE(answered);
    const Transcript transcript{{{Role::user, "Hi.", {}, {}, {}}, answered->sample.message}, 0};
    CHECK(client.session->prepare(transcript, {})->body.contains("\"signature\":\"c2ln+/=\""));
    // A new epoch writes everything anew, and the signature is lost with the old one.
    const Transcript compacted{transcript.messages, 1};
    CHECK_FALSE(client.session->prepare(compacted, {})->body.contains("c2ln+/="));
  });
}

TEST_CASE("a server that does not stream is understood", "[engine][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    net.serve({answers(http_response(
        "200 OK", "Content-Type: application/json\r\n",
        "\n\n{\"choices\":[{\"message\":{\"content\":\"Hi.\"},\"finish_reason\":\"stop\"}]}"))});
    RemoteClient client(net);
    const auto answered = co_await client.ask();
    REQUIRE(answered);
    CHECK(answered->sample.message.text == "Hi.");
  });
}

TEST_CASE("comments keep a slow answer alive, silence ends it", "[engine][e2e]") {
  run_on_loopback([](Loopback& net) -> asio::awaitable<void> {
    const auto slow = [&net](int comments, bool speaks) -> Loopback::Script {
      return [&net, comments, speaks](LoopbackPeer& peer) -> asio::awaitable<void> {
        (void)co_await peer.read_request();
        co_await peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        for (int i = 0; i < comments; ++i) {
          co_await net.let_time_pass(kIdleTimeout * 9 / 10);
          co_await peer.send(": keep-alive\n\n");
        }
        if (speaks) {
          co_await peer.send(short_stream());
        } else {
          co_await net.let_time_pass(kIdleTimeout * 11 / 10);
          co_await peer.wait_closed();
        }
      };
    };
    net.serve({slow(5, true), slow(2, false)});
    RemoteClient patient(net);
    CHECK(co_await patient.ask());
    RemoteClient forsaken(net);
    const auto answered = co_await forsaken.ask();
    REQUIRE_FALSE(answered);
    CHECK(answered.error().kind == FaultClass::transport);
    CHECK(answered.error().message.contains("timed out"));
  });
}

TEST_CASE("the same is said through TLS and a proxy's tunnel", "[engine][e2e]") {
  const test::TempDir dir;
  const test::TestAuthority authority;
  const std::string ca_file = dir.write("ca.pem", authority.certificate()).string();
  run_on_loopback([&](Loopback& net) -> asio::awaitable<void> {
    std::string connect;
    std::string inside;
    net.serve({[&](LoopbackPeer& peer) -> asio::awaitable<void> {
      connect = co_await peer.read_request();
      co_await peer.send("HTTP/1.1 200 OK\r\n\r\n");
      (void)co_await peer.start_tls(authority.issue({.names = {"api.deepseek.com"}}));
      inside = co_await peer.read_request();
      co_await peer.send(http_stream(short_stream()));
      co_await peer.wait_closed();
    }});
    const std::string proxy = "http://127.0.0.1:" + std::to_string(net.port());
    net::HttpClient http(
        net.clock(),
        std::make_unique<net::NetworkDialer>(
            std::make_unique<test::FixedResolver>(std::vector<std::string>{"127.0.0.1"}),
            net::TlsContext::create(ca_file, test::env_with({})).value()),
        net::ProxySettings::from_env(test::env_with({{"HTTPS_PROXY", proxy}})).value());
    const auto spec = parse_engine_spec("deepseek-v4-flash").value();
    const auto remote =
        open_remote(spec, {http, net.clock()},
                    {test::env_with({{"DEEPSEEK_API_KEY", test::kTestKey}}), {}, {}, {}})
            .value();
    const auto session = remote->open({}).value();
    REQUIRE(session->prepare({{{Role::user, "Hi.", {}, {}, {}}}, 0}, {}));
    const auto answered = co_await session->sample({});
    REQUIRE(answered);
    CHECK(connect.starts_with("CONNECT api.deepseek.com:443 "));
    CHECK_FALSE(connect.contains(test::kTestKey));
    CHECK(inside.starts_with("POST /chat/completions "));
    CHECK(inside.contains(std::string("Bearer ") + test::kTestKey));
  });
}

TEST_CASE("a session speaks with the server of this program", "[engine][e2e]") {
  ManualClock clock;
  std::string heard;
  const auto in_pieces = [&heard](net::HttpRequest request,
                                  net::Responder& responder) -> asio::awaitable<void> {
    heard = request.body;
    co_await responder.start({200, {{"Content-Type", "text/event-stream"}}, {}});
    const std::string stream = short_stream("From our own.");
    for (std::size_t at = 0; at < stream.size(); at += 10)
      co_await responder.write(std::string_view(stream).substr(at, 10));
  };
  test::ServerHarness server(clock, in_pieces);
  std::optional<SampleOutcome> outcome;
  const auto http = net::HttpClient::create(clock, {}, test::env_with({})).value();
  const std::string url = "http://127.0.0.1:" + std::to_string(server.address().port);
  const auto remote =
      open_remote({EngineSpec::Kind::openai, url, "m"}, {*http, clock}, test::no_keys()).value();
  const auto session = remote->open({}).value();
  REQUIRE(session->prepare({{{Role::user, "Hi.", {}, {}, {}}}, 0}, {}));
  asio::co_spawn(server.io(), session->sample({}),
                 [&outcome](const std::exception_ptr&, SampleOutcome answered) {
                   outcome = std::move(answered);
                 });
  server.run_until([&outcome] { return outcome.has_value(); });
  REQUIRE(*outcome);
  CHECK((*outcome)->sample.message.text == "From our own.");
  CHECK(heard == session->prepare({{{Role::user, "Hi.", {}, {}, {}}}, 0}, {})->body);
}
