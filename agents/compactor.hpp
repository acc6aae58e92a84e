// Compactor: makes a session's transcript shorter and writes down how.
//
//   compaction.started {why, tokens, messages, epoch}     folded up to here, the journal gives the
//                                                         transcript as it was: the way back
//   compaction.summarised {usage, cost_usd, model}        the model has answered, for whatever use
//   compaction.chosen {how, refused, before, messages, bytes, bytes_before}
//   compaction.finished                                   the new transcript (session_events.hpp)
//   compaction.failed {why}                               or it stays as it is
#pragma once

#include "agents/compaction.hpp"
#include "agents/ledger.hpp"
#include "agents/model_caller.hpp"
#include "agents/session_log.hpp"
#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace fathom::agents {

struct CompactorRules {
  std::uint64_t context_tokens = 0;         ///< 0: the engine's
  std::uint64_t summary_tokens_max = 8000;  ///< reasoning included
  double tail_share = 0.25;                 ///< of the context, for the last exchanges
  double frame_share = 0.25;                ///< for the summary and the facts
  double result_share = 0.02;               ///< for one tool result, when nobody summarises
};

class Compactor {
 public:
  struct Services {
    SessionLog& log;
    ModelCaller& model;
    Ledger& ledger;
    std::function<LiveFacts()> around;  ///< may be empty
    WholeAt whole_at;                   ///< may be empty
  };

  explicit Compactor(Services services, CompactorRules rules = {})
      : services_(std::move(services)), rules_(rules) {}

  /// Between two steps. Whether the transcript is shorter now; the error is the journal's.
  /// Cancelling it leaves the transcript as it was.
  asio::awaitable<Result<bool>> run(std::string why = "context_full");

 private:
  struct Summary {
    std::string text;
    std::string refused;  ///< why there is none
  };
  asio::awaitable<Result<bool>> make_shorter(std::uint64_t started);
  asio::awaitable<Result<Summary>> ask();
  [[nodiscard]] CompactionLimits limits() const;
  Result<> fail_with(std::string_view why);

  Services services_;
  CompactorRules rules_;
};

}  // namespace fathom::agents
