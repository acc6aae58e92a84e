#include "engine/remote/remote_session.hpp"

#include "engine/remote/fault_of.hpp"
#include "engine/remote/remote_engine.hpp"
#include "runtime/async/timeout.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

namespace fathom::engine {
namespace {

constexpr const char* kAnthropicVersion = "2023-06-01";

net::CallLimits answer_limits() {
  net::CallLimits limits;
  limits.timeouts.connect = kConnectTimeout;
  limits.timeouts.head = kHeadTimeout;
  limits.timeouts.body = kIdleTimeout;
  limits.timeouts.total = kAnswerTimeout;
  limits.body_bytes_max = kBodyBytesMax;
  return limits;
}

// Tells whether a message has changed. Lengths are in it, so that text cannot move between fields.
std::size_t digest_of(const Message& message) {
  auto digest = static_cast<std::size_t>(message.role);
  const auto mix = [&digest](std::string_view text) {
    for (const std::size_t part : {std::hash<std::string_view>{}(text), text.size()})
      digest ^= part + 0x9E3779B97F4A7C15ULL + (digest << 6) + (digest >> 2);
  };
  mix(message.text);
  mix(message.reasoning);
  for (const ToolCall& call : message.calls) {
    mix(call.id);
    mix(call.name);
    mix(call.arguments);
  }
  for (const ToolResult& result : message.results) {
    mix(result.call_id);
    mix(result.content);
    mix(name_of(result.status));
  }
  return digest;
}

enum class AnswerForm : std::uint8_t { stream, json, neither };

AnswerForm form_of(std::string_view content_type) {
  if (content_type.empty() || content_type.starts_with("text/event-stream"))
    return AnswerForm::stream;
  return content_type.starts_with("application/json") ? AnswerForm::json : AnswerForm::neither;
}

void tell(const SampleObserver& observer, std::vector<SampleDelta>& deltas) {
  if (observer.on_delta)
    for (const SampleDelta& delta : deltas) observer.on_delta(delta);
  deltas.clear();
}

}  // namespace

RemoteSession::RemoteSession(std::shared_ptr<const RemotePeer> peer, SessionSetup setup)
    : peer_(std::move(peer)), setup_(std::move(setup)) {
  start_over(0);
}

void RemoteSession::start_over(std::uint64_t epoch) {
  epoch_ = epoch;
  rendered_ = {};
  rendered_.bytes = peer_->codec->begin(setup_);
  stable_bytes_ = rendered_.bytes.size();
  starts_.clear();
  digests_.clear();
  sampled_ = {};
}

Fault RemoteSession::named(Fault fault) const {
  fault.message = peer_->key.redact(peer_->info.name + ": " + fault.message);
  return fault;
}

std::expected<PreparedRequest, Fault> RemoteSession::prepare(const Transcript& transcript,
                                                             const RequestLimits& limits) {
  if (transcript.epoch != epoch_) start_over(transcript.epoch);
  const std::vector<Message>& messages = transcript.messages;
  for (std::size_t i = 0; i < digests_.size(); ++i) {
    if (i < messages.size() && digest_of(messages[i]) == digests_[i]) continue;
    return std::unexpected(named({FaultClass::refused,
                                  "message " + std::to_string(i) +
                                      " of the transcript is not the one that was sent "
                                      "(only a new epoch may change it)",
                                  {}}));
  }
  rendered_.bytes.resize(stable_bytes_);
  for (std::size_t i = digests_.size(); i < messages.size(); ++i) {
    const std::size_t comma = rendered_.bytes.back() == '[' ? 0 : 1;
    starts_.push_back(rendered_.bytes.size() + comma);
    peer_->codec->append(rendered_, messages[i], sampled_);
    digests_.push_back(digest_of(messages[i]));
  }
  stable_bytes_ = rendered_.bytes.size();
  rendered_.bytes += peer_->codec->end(setup_, limits);
  context_ = {setup_.tools, limits.may_call};
  is_prepared_ = true;
  return PreparedRequest{rendered_.bytes, stable_bytes_, starts_, 0, 0};
}

net::Headers RemoteSession::headers() const {
  net::Headers headers;
  headers.add("User-Agent", "fathom");
  const bool anthropic = peer_->endpoint.api == Api::anthropic;
  if (anthropic) headers.add("anthropic-version", kAnthropicVersion);
  if (!peer_->key.empty() && anthropic) headers.add("x-api-key", peer_->key.reveal());
  if (!peer_->key.empty() && !anthropic)
    headers.add("Authorization", "Bearer " + peer_->key.reveal());
  return headers;
}

net::HttpRequest RemoteSession::request() const {
  net::HttpRequest request{"POST", peer_->endpoint.answers, headers(), rendered_.bytes};
  request.headers.add("Content-Type", "application/json");
  request.headers.add("Accept", "text/event-stream, application/json");
  return request;
}

asio::awaitable<SampleOutcome> RemoteSession::sample(const SampleObserver& observer) {
  ENSURE(is_prepared_, "prepare() comes before sample()");
  const auto reader = peer_->codec->reader(context_);
  kept_.reset();
  if (observer.on_bodies) kept_.emplace();
  auto asking = ask(*reader, observer);
  Whole whole = co_await std::move(asking);
  if (kept_) observer.on_bodies({peer_->key.redact(rendered_.bytes), redacted_answer()});
  if (!whole) co_return std::unexpected(named(std::move(whole).error()));
  sampled_ = {whole->answered.sample.message, std::move(whole->wire_content)};
  co_return std::move(whole->answered);
}

// Twice the key, which may be spelled with escapes, is kept for nothing but finding one at the end.
std::size_t RemoteSession::kept_max() const {
  return kWireBytesKept + 2 * peer_->key.reveal().size();
}

void RemoteSession::keep(std::string_view piece) {
  if (kept_) kept_->append(piece.substr(0, kept_max() - kept_->size()));
}

std::string RemoteSession::redacted_answer() const {
  const bool is_cut = kept_->size() == kept_max();
  std::string text = peer_->key.redact(*kept_);
  // What stands at a cut may be the beginning of a key.
  if (is_cut) text.resize(text.size() - std::min(text.size(), kept_max() - kWireBytesKept));
  text.resize(std::min(text.size(), kWireBytesKept));
  return text;
}

asio::awaitable<RemoteSession::Whole> RemoteSession::ask(AnswerReader& reader,
                                                         const SampleObserver& observer) {
  auto opening = peer_->http.open(peer_->endpoint.origin, request(), answer_limits());
  auto stream = co_await std::move(opening);
  if (!stream) co_return std::unexpected(fault_of(stream.error(), peer_->endpoint.origin));
  const AnswerForm form = form_of((*stream)->headers().get("content-type"));
  if ((*stream)->status() != 200 || form == AnswerForm::neither) {
    auto refusing = refuse(**stream);
    co_return std::unexpected(co_await std::move(refusing));
  }
  auto reading = form == AnswerForm::stream ? read_stream(**stream, reader, observer)
                                            : read_whole(**stream, reader, observer);
  co_return co_await std::move(reading);
}

asio::awaitable<RemoteSession::Whole> RemoteSession::read_stream(net::HttpStream& stream,
                                                                 AnswerReader& reader,
                                                                 const SampleObserver& observer) {
  net::SseParser parser;
  std::vector<net::SseEvent> events;
  std::vector<SampleDelta> deltas;
  std::size_t events_seen = 0;
  while (!reader.complete()) {
    auto reading = stream.read_some();
    const Result<std::string> piece = co_await std::move(reading);
    if (!piece) co_return std::unexpected(fault_of(piece.error(), peer_->endpoint.origin));
    if (piece->empty()) break;
    keep(*piece);
    if (const Result<> fed = parser.feed(*piece, events); !fed)
      co_return std::unexpected(fault_of(fed.error(), peer_->endpoint.origin));
    events_seen += events.size();
    if (events_seen > kEventsMax)
      co_return std::unexpected(
          Fault{FaultClass::format, "more than " + std::to_string(kEventsMax) + " events", {}});
    for (const net::SseEvent& event : events) {
      auto fault = reader.on_event(event, deltas);
      if (fault) co_return std::unexpected(*std::move(fault));
    }
    events.clear();
    tell(observer, deltas);
  }
  Whole whole = reader.finish(deltas);
  if (whole) tell(observer, deltas);
  auto draining = drain(stream);
  co_await std::move(draining);
  co_return whole;
}

asio::awaitable<void> RemoteSession::drain(net::HttpStream& stream) {
  auto reading = stream.read_some();
  auto bounded = with_timeout(peer_->clock, kDrainTimeout, "end of stream", std::move(reading));
  // Late or broken: the connection is closed, and the answer is whole nevertheless.
  (void)co_await std::move(bounded);
}

asio::awaitable<RemoteSession::Whole> RemoteSession::read_whole(net::HttpStream& stream,
                                                                AnswerReader& reader,
                                                                const SampleObserver& observer) {
  std::string body;
  for (;;) {
    auto reading = stream.read_some();
    const Result<std::string> piece = co_await std::move(reading);
    if (!piece) co_return std::unexpected(fault_of(piece.error(), peer_->endpoint.origin));
    if (piece->empty()) break;
    keep(*piece);
    body += *piece;
    if (body.size() > 2 * kAnswerBytesMax)  // escaped
      co_return std::unexpected(Fault{FaultClass::format, "the answer is too long", {}});
  }
  std::vector<SampleDelta> deltas;
  if (auto fault = reader.on_body(body, deltas)) co_return std::unexpected(*std::move(fault));
  Whole whole = reader.finish(deltas);
  if (whole) tell(observer, deltas);
  co_return whole;
}

// Reads what the server says instead of an answer, as far as it comes.
asio::awaitable<Fault> RemoteSession::refuse(net::HttpStream& stream) {
  BadAnswer answer{stream.status(), stream.headers(), {}};
  while (answer.body.size() < kErrorBodyBytesMax) {
    auto reading = stream.read_some();
    const Result<std::string> piece = co_await std::move(reading);
    if (!piece || piece->empty()) break;
    keep(*piece);
    answer.body += *piece;
  }
  answer.body.resize(std::min(answer.body.size(), kErrorBodyBytesMax));
  Fault fault = fault_of(answer, peer_->endpoint, peer_->clock.wall_now());
  if (!is_about_model(answer)) co_return fault;
  auto listing = with_listing(std::move(fault));
  co_return co_await std::move(listing);
}

asio::awaitable<Fault> RemoteSession::with_listing(Fault fault) {
  net::CallLimits limits;
  limits.timeouts.total = kListingTimeout;
  limits.body_bytes_max = kListingBytesMax;
  net::HttpRequest request{"GET", peer_->endpoint.models, headers(), {}};
  auto fetching = peer_->http.fetch(peer_->endpoint.origin, std::move(request), limits);
  const auto listing = co_await std::move(fetching);
  if (listing && listing->status == 200)
    fault.message = with_models(std::move(fault.message), listing->body, peer_->model);
  co_return fault;
}

Result<std::unique_ptr<Session>> RemoteSession::fork() const {
  auto copy = std::make_unique<RemoteSession>(peer_, setup_);
  copy->epoch_ = epoch_;
  copy->rendered_ = rendered_;
  copy->starts_ = starts_;
  copy->digests_ = digests_;
  copy->sampled_ = sampled_;
  copy->stable_bytes_ = stable_bytes_;
  copy->is_prepared_ = is_prepared_;
  copy->context_ = context_;
  return copy;
}

}  // namespace fathom::engine
