// The bytes are what a server sends to a real HttpClient. The first byte chooses the request's
// method and how the rest is cut into pieces. A response that is accepted whole is accepted in
// pieces, and is the same.
#include "runtime/async/simulator.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/net/http_client.hpp"
#include "tests/support/scripted_dialer.hpp"

#include <cstdint>
#include <string>

using namespace fathom;
using namespace fathom::net;

namespace {

constexpr std::uint64_t kBodyBytesMax = 4096;  // small, so that the bound is reached

Result<HttpResponse> fetch(std::string_view bytes, std::size_t piece, const std::string& method) {
  test::PeerScript script;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
    script.emplace_back(test::peer::Says{std::string(bytes.substr(0, piece))});
  script.emplace_back(test::peer::Closes{});

  test::ScriptedDialer::Log log;
  Result<HttpResponse> response;
  {
    Simulator sim(1);
    std::deque<test::PeerScript> scripts;
    scripts.push_back(std::move(script));
    HttpClient client(sim.clock(), std::make_unique<test::ScriptedDialer>(log, std::move(scripts)));
    const auto call = [&]() -> asio::awaitable<void> {
      CallLimits limits;
      limits.body_bytes_max = kBodyBytesMax;
      response =
          co_await client.fetch({Scheme::https, "h.example", 443}, {method, "/", {}, ""}, limits);
    };
    sim.run(call());
    ENSURE(log.open == client.idle_connections(), "a connection is idle or closed");
  }
  ENSURE(log.open == 0, "the client closes what it keeps");
  return response;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string method = (data[0] & 1) != 0 ? "HEAD" : "GET";
  const Result<HttpResponse> whole = fetch(bytes, HttpStream::kReadBytes, method);
  // At most 16 pieces: each costs two coroutines, and the decoder's own test cuts at every byte.
  const Result<HttpResponse> pieces =
      fetch(bytes, 1 + bytes.size() / (1 + data[0] / 2 % 16), method);
  ENSURE(whole.has_value() == pieces.has_value(), "a cut does not change the outcome");
  if (!whole) {
    ENSURE(whole.error().message.find_first_of("\r\n") == std::string::npos,
           "an error is one line");
    return 0;
  }
  ENSURE(whole->status == pieces->status, "a cut does not change the status");
  ENSURE(whole->headers == pieces->headers, "a cut does not change the headers");
  ENSURE(whole->body == pieces->body, "a cut does not change the body");
  ENSURE(whole->status >= 200, "interim responses are skipped");
  ENSURE(whole->body.size() <= kBodyBytesMax, "a body has its bound");
  for (const Header& field : whole->headers.fields())
    ENSURE((field.name + field.value).find_first_of("\r\n") == std::string::npos,
           "a header field is one line");
  return 0;
}
