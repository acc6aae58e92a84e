// LocalTimeline: the tokens that a session's KV holds, and the one generation that may extend it.
#pragma once

#include "engine/local/local_engine.hpp"
#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace fathom::engine {

namespace asio = boost::asio;

class LocalTimeline {
 public:
  /// More tokens than this are not read twice when an answer is taken back: a copy of the KV is
  /// kept in front of it, for which reading stops once. Fewer cost less than that step.
  static constexpr std::size_t kCheckpointTokensMin = 256;

  /// `engine` outlives this.
  explicit LocalTimeline(LocalEngine& engine) : engine_(engine), kv_(engine.new_kv()) {}

  [[nodiscard]] std::size_t resident() const { return resident_.size(); }
  [[nodiscard]] bool generating() const { return generating_; }

  /// Keeps what the KV shares with the first `most` of these tokens; after a cancelled generation
  /// waits for the step in hand.
  void align(std::span<const TokenId> tokens, std::size_t most);
  /// Of what is resident now: align() can come back to here.
  void checkpoint() { checkpoint_ = kv_.fork(); }

  using Hear = std::function<void(const GenerationEvent&)>;
  /// Generates behind what is resident. `hear` is called on the caller's executor with all events,
  /// `finished` last. When it is cancelled the engine stops by itself; settle() or align() takes
  /// its last tokens. The executor outlives this. Errors as those of LocalEngine::generate.
  asio::awaitable<Result<>> generate(GenerationRequest request, Hear hear);

  /// Ends a generation that was cancelled.
  void settle();
  /// What was sampled by the last generation.
  [[nodiscard]] const std::vector<TokenId>& sampled() const { return sampled_; }

  /// Not while generating.
  [[nodiscard]] std::unique_ptr<LocalTimeline> fork();

 private:
  void take(const GenerationEvent& event);
  void release();

  LocalEngine& engine_;
  LiveKv kv_;
  std::optional<LiveKv> checkpoint_;
  std::vector<TokenId> resident_;  ///< while a generation lives: what it was given and has said
  std::vector<TokenId> sampled_;
  bool generating_ = false;
  std::unique_ptr<Generation> generation_;  ///< before kv_ goes, it must
};

}  // namespace fathom::engine
