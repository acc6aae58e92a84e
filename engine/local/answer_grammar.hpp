// The grammar of one answer, from the token on at which it begins: an answer that may reason first
// is free until the reasoning is closed, but it may not end before: then there would be no answer.
#pragma once

#include "engine/text/grammar.hpp"
#include "engine/text/token.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fathom::engine {

class AnswerGrammar {
 public:
  /// `after`: the token behind which the grammar holds; without one it holds at once. `vocabulary`
  /// is the number of logits, `end` the end of sentence.
  AnswerGrammar(std::shared_ptr<const Grammar> grammar, std::optional<TokenId> after,
                std::size_t vocabulary, TokenId end);

  /// The tokens that may come next, for the sampler: empty where all may. Valid until the next
  /// call.
  std::span<const std::uint64_t> mask();

  /// `token` was sampled under mask(). False when the grammar does not take it after all: an error
  /// of the grammar, which must end this answer and no other.
  [[nodiscard]] bool accept(TokenId token) { return step(state_, active_, token); }

  /// Nothing may follow but the end.
  [[nodiscard]] bool complete() const { return active_ && state_.ended(); }

  /// How many of the drafts the grammar would take, one behind the other.
  [[nodiscard]] std::size_t allowed(std::span<const TokenId> drafts) const;

  /// The text that must come next, up to `bytes_max`; empty where there is a choice.
  [[nodiscard]] std::string forced(std::size_t bytes_max) const {
    return active_ ? state_.forced(bytes_max) : std::string();
  }

 private:
  [[nodiscard]] bool step(GrammarState& state, bool& active, TokenId token) const;

  GrammarState state_;
  std::optional<TokenId> after_;
  TokenId end_;
  bool active_;
  std::vector<std::uint64_t> mask_;
};

}  // namespace fathom::engine
