#include "tools/mcp/http_transport.hpp"

#include "runtime/async/timeout.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "runtime/net/sse.hpp"
#include "tools/mcp/rpc_message.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace fathom::tools {
namespace {

constexpr std::size_t kShownBodyBytes = 200;

bool has_type(const net::Headers& headers, std::string_view type) {
  const std::string_view value = headers.get("Content-Type");
  return net::equal_ignoring_case(value.substr(0, type.size()), type);
}

bool is_session_id(std::string_view id) {
  return !id.empty() && id.size() <= kSessionIdBytesMax &&
         std::ranges::all_of(id, [](char c) { return c > ' ' && c < '\x7f'; });
}

net::CallLimits call_limits() {
  net::CallLimits limits;
  limits.body_bytes_max = kStreamBytesMax;
  // How long a call may take is the connection's to say, which sees its progress.
  limits.timeouts.head = std::chrono::hours(1);
  limits.timeouts.body = std::chrono::hours(1);
  return limits;
}

}  // namespace

HttpTransport::HttpTransport(asio::any_io_executor executor, Clock& clock, net::HttpClient& client,
                             Server server)
    : executor_(std::move(executor)),
      clock_(clock),
      client_(client),
      server_(std::move(server)),
      notified_(executor_) {}

HttpTransport::~HttpTransport() = default;

policies::Request HttpTransport::request() const {
  return policies::request::Connect{server_.url.origin.host, server_.url.origin.port};
}

asio::awaitable<Result<>> HttpTransport::open(McpSink& sink) {
  ENSURE(!tasks_, "one conversation at a time");
  sink_ = &sink;
  session_id_.clear();
  version_.clear();
  is_open_ = true;
  tasks_.emplace(executor_);
  co_return Result<>{};
}

Result<> HttpTransport::send(Outgoing outgoing) {
  if (!is_open_) return fail(ErrorCode::io, "the connection is closed");
  if (tasks_->size() >= kPostsMax)
    return fail(ErrorCode::in_use, std::to_string(kPostsMax) + " messages wait for the server");
  tasks_->spawn(post(std::move(outgoing)));
  return {};
}

void HttpTransport::drop(std::uint64_t id) {
  if (const auto found = posts_.find(id); found != posts_.end()) found->second->cancel();
}

net::HttpRequest HttpTransport::request_of(std::string method, std::string body) const {
  net::HttpRequest request;
  request.method = std::move(method);
  request.target = server_.url.target;
  request.headers = server_.headers;
  if (!version_.empty()) request.headers.set("MCP-Protocol-Version", version_);
  if (!session_id_.empty()) request.headers.set("Mcp-Session-Id", session_id_);
  request.body = std::move(body);
  return request;
}

// A request in a group of its own, so that it can be given up alone.
asio::awaitable<void> HttpTransport::post(Outgoing outgoing) {
  if (outgoing.id == 0) {
    struct Notifying {
      HttpTransport& self;
      explicit Notifying(HttpTransport& transport) : self(transport) { ++self.notifying_; }
      ~Notifying() {
        --self.notifying_;
        self.notified_.notify_all();
      }
    } const notifying(*this);
    auto exchanging = exchange(outgoing);
    (void)co_await std::move(exchanging);  // nobody waits for it, nothing depends on it
    co_return;
  }
  TaskGroup group(executor_);
  const auto place = posts_.emplace(outgoing.id, &group).first;
  struct Leave {
    HttpTransport& self;
    decltype(place) at;
    ~Leave() { self.posts_.erase(at); }
  } const leave{*this, place};
  group.spawn(deliver(outgoing));
  co_await group.join();
}

asio::awaitable<void> HttpTransport::deliver(const Outgoing& outgoing) {
  // The order of frames is the order in which they are sent: "initialized" comes before the first
  // request, although both are posts of their own.
  while (notifying_ > 0) co_await notified_.wait();
  auto exchanging = exchange(outgoing);
  Result<> done = co_await std::move(exchanging);
  if (!is_open_ || !sink_->awaits(outgoing.id)) co_return;
  if (done) done = fail(ErrorCode::protocol, "the server's stream ended without the answer");
  if (done.error().code != ErrorCode::not_found) {
    sink_->on_failed(outgoing.id, std::move(done).error());
    co_return;
  }
  is_open_ = false;
  session_id_.clear();
  sink_->on_closed(std::move(done).error());
}

asio::awaitable<Result<>> HttpTransport::exchange(const Outgoing& outgoing) {
  net::HttpRequest request = request_of("POST", outgoing.frame);
  request.headers.set("Content-Type", "application/json");
  request.headers.set("Accept", "application/json, text/event-stream");
  auto opening = client_.open(server_.url.origin, std::move(request), call_limits());
  CO_TRY(Stream stream, co_await std::move(opening));
  auto taking = take_answer(std::move(stream), outgoing.id);
  co_return co_await std::move(taking);
}

Result<> HttpTransport::take_session_id(const net::HttpStream& stream) {
  const std::string* given = stream.headers().find("Mcp-Session-Id");
  if (given == nullptr || !session_id_.empty()) return {};
  if (!is_session_id(*given))
    return fail(ErrorCode::protocol,
                "the server's Mcp-Session-Id is not visible ASCII of at most " +
                    std::to_string(kSessionIdBytesMax) + " bytes");
  session_id_ = *given;
  return {};
}

asio::awaitable<Result<>> HttpTransport::take_answer(Stream stream, std::uint64_t id) {
  const unsigned status = stream->status();
  if (status == 404 && !session_id_.empty())
    co_return fail(ErrorCode::not_found, "the server has ended the session (HTTP 404)");
  if (status == 401 || status == 403)
    co_return fail(ErrorCode::permission, "HTTP " + std::to_string(status) +
                                              ": the server asks for authorization; give it a "
                                              "header");
  if (status < 200 || status > 299) {
    auto reading = stream->read_some();
    const Result<std::string> body = co_await std::move(reading);
    std::string text = "HTTP " + std::to_string(status);
    if (status == 404) text += " (is the URL's path right?)";
    // Pages are for browsers.
    if (body && !body->empty() && !has_type(stream->headers(), "text/html"))
      text += ": " + to_printable(clip_prefix(*body, kShownBodyBytes));
    co_return fail(ErrorCode::protocol, text);
  }
  CO_TRY_VOID(take_session_id(*stream));
  if (has_type(stream->headers(), "text/event-stream")) {
    auto following = follow(std::move(stream), id);
    co_return co_await std::move(following);
  }
  auto reading = stream->read_all();
  CO_TRY(const std::string body, co_await std::move(reading));
  if (has_type(stream->headers(), "application/json") && !body.empty()) sink_->on_frame(body);
  co_return Result<>{};
}

// Until the answer to `id` has come, the stream ends or breaks. What else the server would say
// after the answer is nothing that anybody waits for.
asio::awaitable<Result<>> HttpTransport::read_events(net::HttpStream& stream, std::uint64_t id,
                                                     Place& place) {
  net::SseParser parser(kFrameBytesMax);
  std::vector<net::SseEvent> events;
  for (;;) {
    auto reading = stream.read_some();
    CO_TRY(const std::string bytes, co_await std::move(reading));
    if (bytes.empty()) co_return Result<>{};
    events.clear();
    CO_TRY_VOID(parser.feed(bytes, events));
    for (const net::SseEvent& event : events)
      if (event.type == "message" && !event.data.empty()) sink_->on_frame(event.data);
    if (!parser.last_event_id().empty()) place.last_event_id = parser.last_event_id();
    if (parser.retry()) place.delay = std::min<Duration>(*parser.retry(), kResumeDelayMax);
    if (id != 0 && !sink_->awaits(id)) co_return Result<>{};
  }
}

// A stream that breaks before the answer is taken up behind its last event, a bounded number of
// times.
asio::awaitable<Result<>> HttpTransport::follow(Stream stream, std::uint64_t id) {
  Place place;
  auto first = read_events(*stream, id, place);
  Result<> ended = co_await std::move(first);
  for (std::size_t attempt = 0; attempt < kResumesMax; ++attempt) {
    const bool broke = ended.has_value() || ended.error().code != ErrorCode::too_large;
    if (id == 0 || !sink_->awaits(id) || !broke || place.last_event_id.empty()) break;
    stream.reset();
    co_await clock_.sleep_for(place.delay);
    net::HttpRequest request = request_of("GET", "");
    request.headers.set("Accept", "text/event-stream");
    request.headers.set("Last-Event-ID", place.last_event_id);
    auto opening = client_.open(server_.url.origin, std::move(request), call_limits());
    Result<Stream> again = co_await std::move(opening);
    if (!again) {
      ended = fail(again.error());
      continue;
    }
    stream = *std::move(again);
    if (stream->status() != 200 || !has_type(stream->headers(), "text/event-stream"))
      co_return fail(ErrorCode::network, "the stream broke, and the server does not resume it");
    auto reading = read_events(*stream, id, place);
    ended = co_await std::move(reading);
  }
  co_return ended;
}

asio::awaitable<Result<>> HttpTransport::say_goodbye() {
  while (notifying_ > 0) co_await notified_.wait();
  if (session_id_.empty()) co_return Result<>{};
  auto fetching = client_.fetch(server_.url.origin, request_of("DELETE", ""));
  const Result<net::HttpResponse> answer = co_await std::move(fetching);
  if (!answer) co_return fail(answer.error());
  co_return Result<>{};
}

void HttpTransport::abort() {
  is_open_ = false;
  if (tasks_) tasks_->cancel();
}

asio::awaitable<void> HttpTransport::close() {
  if (!tasks_) co_return;
  // join() leaves the group empty, whatever else it does.
  struct Reset {
    std::optional<TaskGroup>& group;
    ~Reset() {
      if (group->size() == 0) group.reset();
    }
  } const reset{tasks_};
  if (is_open_) {
    auto goodbye = with_timeout(clock_, kGoodbyeTimeout, "end", say_goodbye());
    (void)co_await std::move(goodbye);  // a server that does not hear it forgets us by itself
  }
  abort();
  co_await tasks_->join();
}

}  // namespace fathom::tools
