#include "runtime/net/http_client.hpp"

#include "runtime/net/network_dialer.hpp"
#include "runtime/net/request_head.hpp"

#include <utility>

namespace fathom::net {
namespace {

// A body up to this size travels in the same segment as its head; copying more would cost more than
// it saves.
constexpr std::size_t kCoalescedBodyBytesMax = 16 * 1024;

}  // namespace

Result<std::unique_ptr<HttpClient>> HttpClient::create(Clock& clock,
                                                       const HttpClientOptions& options,
                                                       const GetEnv& env) {
  ProxySettings proxies = TRY(ProxySettings::from_env(env));
  auto tls = TRY(TlsContext::create(options.ca_file, env));
  auto dialer = std::make_unique<NetworkDialer>(std::make_unique<SystemResolver>(), std::move(tls));
  return std::make_unique<HttpClient>(clock, std::move(dialer), std::move(proxies), options.pool);
}

HttpClient::HttpClient(Clock& clock, std::unique_ptr<Dialer> dialer, ProxySettings proxies,
                       PoolLimits pool)
    : clock_(clock), dialer_(std::move(dialer)), proxies_(std::move(proxies)), pool_(clock, pool) {}

asio::awaitable<Result<std::unique_ptr<HttpStream>>> HttpClient::open(Origin origin,
                                                                      HttpRequest request,
                                                                      CallLimits limits) {
  const Route route = proxies_.route_to(std::move(origin));
  const std::string peer = route.origin.host_port();
  const Deadlines deadlines(clock_, limits.timeouts);
  Result<std::string> head = encode_request_head(request, route);
  if (!head) co_return fail(context(peer, std::move(head).error()));
  const bool coalesce = request.body.size() <= kCoalescedBodyBytesMax;
  if (coalesce) *head += request.body;
  const std::string_view body = coalesce ? std::string_view() : request.body;
  const BodyRule rule = request.method == "HEAD" ? BodyRule::none : BodyRule::by_headers;

  std::unique_ptr<ByteStream> connection = pool_.take(route.origin);
  for (;;) {
    const bool reused = connection != nullptr;
    if (!reused) {
      Result<std::unique_ptr<ByteStream>> dialed = co_await dialer_->dial(route, deadlines);
      if (!dialed) co_return fail(context(peer, std::move(dialed).error()));
      connection = *std::move(dialed);
    }
    auto stream =
        std::make_unique<HttpStream>(pool_, route.origin, std::move(connection), deadlines,
                                     HttpStream::Expected{rule, limits.body_bytes_max});
    Result<> answered = co_await stream->exchange(*head, body);
    if (answered) co_return std::move(stream);
    const bool unheard = answered.error().code == ErrorCode::network && stream->was_unheard();
    const bool harmless = !stream->has_sent_anything() || is_idempotent(request);
    if (!reused || !unheard || !harmless)
      co_return fail(context(peer, std::move(answered).error()));
  }
}

asio::awaitable<Result<HttpResponse>> HttpClient::fetch(Origin origin, HttpRequest request,
                                                        CallLimits limits) {
  auto opening = open(std::move(origin), std::move(request), limits);
  CO_TRY(const std::unique_ptr<HttpStream> stream, co_await std::move(opening));
  CO_TRY(std::string body, co_await stream->read_all());
  co_return HttpResponse{stream->status(), stream->headers(), std::move(body)};
}

}  // namespace fathom::net
