// RemoteSession: one transcript at a remote engine. The body is kept and only appended to, so that
// a request begins with the bytes of the one before it.
#pragma once

#include "engine/remote/remote_engine.hpp"
#include "engine/remote/wire_codec.hpp"
#include "runtime/net/http_stream.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace fathom::engine {

inline constexpr Duration kConnectTimeout = std::chrono::seconds(10);
/// To the answer's head. A server may read a prompt of a million tokens before it says anything.
inline constexpr Duration kHeadTimeout = std::chrono::minutes(15);
/// Between two pieces of the answer, whatever they hold: a server that is busy says so by comments
/// or blank lines every few seconds.
inline constexpr Duration kIdleTimeout = std::chrono::minutes(5);
/// Everything: what keeps an answer of comments alone from lasting for ever.
inline constexpr Duration kAnswerTimeout = std::chrono::hours(2);
/// For the end of a stream after the answer's own end, so that the connection can be kept.
inline constexpr Duration kDrainTimeout = std::chrono::seconds(1);
inline constexpr Duration kListingTimeout = std::chrono::seconds(10);
/// All bytes of an answer, framing included: a chunk of one token has some 300.
inline constexpr std::uint64_t kBodyBytesMax = 512ULL << 20;
inline constexpr std::size_t kEventsMax = 2'000'000;
inline constexpr std::size_t kListingBytesMax = 1u << 20;

/// What an engine's sessions share. None of it changes.
struct RemotePeer {
  Endpoint endpoint;
  EngineInfo info;
  std::string model;
  Secret key;
  std::unique_ptr<WireCodec> codec;
  net::HttpClient& http;
  Clock& clock;
};

class RemoteSession final : public Session {
 public:
  RemoteSession(std::shared_ptr<const RemotePeer> peer, SessionSetup setup);

  std::expected<PreparedRequest, Fault> prepare(const Transcript& transcript,
                                                const RequestLimits& limits) override;
  asio::awaitable<SampleOutcome> sample(const SampleObserver& observer) override;
  [[nodiscard]] Result<std::unique_ptr<Session>> fork() const override;

 private:
  using Whole = std::expected<AnswerReader::Whole, Fault>;

  void start_over(std::uint64_t epoch);
  [[nodiscard]] net::HttpRequest request() const;
  [[nodiscard]] net::Headers headers() const;
  asio::awaitable<Whole> ask(AnswerReader& reader, const SampleObserver& observer);
  asio::awaitable<Whole> read_stream(net::HttpStream& stream, AnswerReader& reader,
                                     const SampleObserver& observer);
  asio::awaitable<Whole> read_whole(net::HttpStream& stream, AnswerReader& reader,
                                    const SampleObserver& observer);
  asio::awaitable<Fault> refuse(net::HttpStream& stream);
  asio::awaitable<Fault> with_listing(Fault fault);
  asio::awaitable<void> drain(net::HttpStream& stream);
  void keep(std::string_view piece);
  [[nodiscard]] std::size_t kept_max() const;
  [[nodiscard]] std::string redacted_answer() const;
  [[nodiscard]] Fault named(Fault fault) const;

  std::shared_ptr<const RemotePeer> peer_;
  SessionSetup setup_;
  std::uint64_t epoch_ = 0;
  RenderedBody rendered_;             ///< the frozen request, its closing included
  std::size_t stable_bytes_ = 0;      ///< of it without the closing
  std::vector<std::size_t> starts_;   ///< of the messages in it
  std::vector<std::size_t> digests_;  ///< of the messages in it
  SampledContent sampled_;            ///< the last answer
  bool is_prepared_ = false;
  AnswerContext context_;            ///< of the frozen request
  std::optional<std::string> kept_;  ///< what came, where somebody wants it
};

}  // namespace fathom::engine
