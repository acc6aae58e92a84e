// A remote engine against a server of this machine that plays scripts.
#pragma once

#include "engine/remote/remote_engine.hpp"
#include "engine/session/engine.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/loopback.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fathom::test {

inline constexpr const char* kTestKey = "sk-test-0123456789";

inline GetEnv env_with(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::string {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  };
}

inline engine::KeySources no_keys() { return {env_with({}), {}, {}, {}}; }
inline engine::KeySources own_key() {
  return {env_with({{"FATHOM_API_KEY", kTestKey}}), {}, {}, {}};
}

/// A session at `net`, with everything it needs.
struct RemoteClient {
  std::unique_ptr<net::HttpClient> http;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<engine::Session> session;

  explicit RemoteClient(Loopback& net, engine::EngineSpec::Kind kind = kOpenAi,
                        const engine::KeySources& keys = no_keys(), engine::SessionSetup setup = {})
      : http(net::HttpClient::create(net.clock(), {}, env_with({})).value()) {
    const std::string url = "http://127.0.0.1:" + std::to_string(net.port());
    engine = engine::open_remote({kind, url, "m"}, {*http, net.clock()}, keys).value();
    session = engine->open(std::move(setup)).value();
  }
  static constexpr engine::EngineSpec::Kind kOpenAi = engine::EngineSpec::Kind::openai;

  /// Asks with a transcript of one question.
  asio::awaitable<engine::SampleOutcome> ask(engine::SampleObserver observer = {}) {
    const engine::Transcript transcript{{{Role::user, "Hi.", {}, {}, {}}}, 0};
    CHECK(session->prepare(transcript, {}));
    auto sampling = session->sample(observer);
    co_return co_await std::move(sampling);
  }
};

inline std::string http_response(const std::string& status, const std::string& fields,
                                 const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

inline std::string http_stream(const std::string& events) {
  return http_response("200 OK", "Content-Type: text/event-stream\r\n", events);
}

inline std::string short_stream(const std::string& text = "Hi.") {
  return R"(data: {"model":"m","choices":[{"delta":{"content":")" + text +
         R"("},"finish_reason":"stop"}]})"
         "\n\ndata: [DONE]\n\n";
}

/// Answers one request; keeps it in `request` where that is given.
inline Loopback::Script answers(std::string response, std::string* request = nullptr) {
  return [response = std::move(response), request](LoopbackPeer& peer) -> asio::awaitable<void> {
    const std::string heard = co_await peer.read_request();
    if (request != nullptr) *request = heard;
    co_await peer.send(response);
    co_await peer.wait_closed();
  };
}

/// Without the port, which is never the same.
inline std::string without_port(std::string text, Loopback& net) {
  const std::string port = ":" + std::to_string(net.port());
  for (std::size_t at = text.find(port); at != std::string::npos; at = text.find(port))
    text.erase(at, port.size());
  return text;
}

}  // namespace fathom::test
