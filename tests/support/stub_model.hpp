// StubModel: a model's server on this machine. It answers what it is told to, in the bytes of
// either wire format, and keeps what it was asked. It has a thread of its own, for tests of whole
// programs.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/net/http_message.hpp"
#include "runtime/net/http_server.hpp"
#include "tests/support/loopback.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace fathom::test {

class StubModel {
 public:
  enum class Wire : std::uint8_t { openai, anthropic };
  enum class Door : std::uint8_t {
    plain,  ///< Fathom's own server
    tls,    ///< https://127.0.0.1, with a certificate of authority()
    proxy   ///< a proxy that opens tunnels, and https://model.test behind it
  };

  struct Call {
    std::string name;
    std::string arguments;  ///< JSON
  };
  struct Reply {
    unsigned status = 200;
    std::vector<net::Header> fields;
    std::string body;
    bool is_cut = false;  ///< the connection breaks behind `body`
  };
  struct Asked {
    std::string head;  ///< request line and fields, a line each
    std::string body;
  };

  StubModel(Wire wire, std::vector<Reply> replies, Door door = Door::plain);
  ~StubModel();
  StubModel(const StubModel&) = delete;
  StubModel& operator=(const StubModel&) = delete;

  /// An answer of the model, streamed; what `calls` holds comes behind the text.
  [[nodiscard]] Reply answer(std::string_view text, const std::vector<Call>& calls = {}) const;
  static Reply answer(Wire wire, std::string_view text, const std::vector<Call>& calls = {});
  /// The same, broken off in the middle.
  static Reply cut(Reply whole);
  /// An error in the wire's form, to be asked again after no time at all.
  static Reply refusal(Wire wire, unsigned status, std::string_view message);

  /// `openai:http://127.0.0.1:PORT/v1#stub-large`, or what fits the wire and the door.
  [[nodiscard]] std::string engine(std::string_view model = "stub-large") const;
  [[nodiscard]] std::string host_port() const;
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::string authority() const { return authority_.certificate(); }

  /// All requests so far.
  [[nodiscard]] std::vector<Asked> asked() const;
  /// The bodies of those that ask for an answer.
  [[nodiscard]] std::vector<std::string> samples() const;

 private:
  Reply next(Asked asked);
  boost::asio::awaitable<void> serve(net::HttpRequest request, net::Responder& out);
  boost::asio::awaitable<void> serve_tls(LoopbackPeer& peer);
  void open_server();
  void open_loopback();

  Wire wire_;
  Door door_;
  TestAuthority authority_;
  SystemClock clock_;
  boost::asio::io_context io_{1};
  std::optional<net::HttpServer> server_;
  std::optional<Loopback> loopback_;
  boost::asio::cancellation_signal stop_;
  mutable std::mutex mutex_;  ///< of what both threads touch: the two below
  std::deque<Reply> replies_;
  std::vector<Asked> asked_;
  std::thread thread_;
};

}  // namespace fathom::test
