// Guesses for one request: what its grammar leaves no choice about, what stood behind the same
// words before (prompt lookup), and what the MTP block says. The scheduler runs them beside the
// next token; the answer is the same whatever is guessed.
#pragma once

#include "engine/local/answer_grammar.hpp"
#include "engine/local/draft_policy.hpp"
#include "engine/local/prompt_lookup.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fathom::engine {

enum class DraftSource : std::uint8_t { none, grammar, lookup, mtp };

/// What speculation did for a request, by source.
struct SpeculationCounts {
  DraftCounts grammar;
  DraftCounts lookup;
  DraftCounts mtp;

  [[nodiscard]] DraftCounts all() const {
    DraftCounts sum = grammar;
    sum += lookup;
    return sum += mtp;
  }
  friend bool operator==(const SpeculationCounts&, const SpeculationCounts&) = default;
};

using Tokenize = std::function<std::vector<TokenId>(std::string_view)>;

class Speculation {
 public:
  /// The request's tokens, prompt and answer.
  [[nodiscard]] PromptLookup& history() { return lookup_; }
  [[nodiscard]] const PromptLookup& history() const { return lookup_; }

  struct Place {
    const AnswerGrammar* grammar = nullptr;  ///< null: none
    const Tokenize* tokenize = nullptr;      ///< of the grammar's text; null: that is not guessed
    std::size_t room = 0;                    ///< tokens that may be drafted
    std::size_t sequences = 1;               ///< in this step
  };

  /// Drafts from text for the tokens behind the history's last; none when nothing is known or
  /// nothing pays. Valid until the next call.
  std::span<const TokenId> draft(const Place& place, const StepCosts& costs);

  /// Whether to ask the MTP block, which takes `seconds`, when there is no other draft.
  bool wants_mtp(const Place& place, const StepCosts& costs, double seconds);
  /// Its answer is the draft.
  void took_mtp() { source_ = DraftSource::mtp; }

  /// How the drafts of this step fared.
  void verified(std::size_t drafted, std::size_t accepted);

  [[nodiscard]] SpeculationCounts counts() const {
    return {grammar_, by_lookup_.counts(), by_mtp_.counts()};
  }

 private:
  // Before anything is known. Six tokens that agree are rarely a coincidence in code; MTP's first
  // draft is right four times in five on real text (vLLM's figures), less often on code.
  static constexpr double kLookupLikely = 0.8;
  static constexpr double kMtpLikely = 0.7;

  PromptLookup lookup_;
  DraftPolicy by_lookup_{kLookupLikely};
  DraftPolicy by_mtp_{kMtpLikely};
  DraftCounts grammar_;
  DraftSource source_ = DraftSource::none;
  std::vector<TokenId> forced_;
};

}  // namespace fathom::engine
