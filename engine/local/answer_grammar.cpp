#include "engine/local/answer_grammar.hpp"

#include "runtime/base/ensure.hpp"

#include <utility>

namespace fathom::engine {

AnswerGrammar::AnswerGrammar(std::shared_ptr<const Grammar> grammar, std::optional<TokenId> after,
                             std::size_t vocabulary)
    : state_(std::move(grammar)), after_(after), active_(!after), mask_((vocabulary + 63) / 64) {}

std::span<const std::uint64_t> AnswerGrammar::mask() {
  if (!active_) return {};
  state_.mask(mask_);
  return mask_;
}

bool AnswerGrammar::step(GrammarState& state, bool& active, std::optional<TokenId> after,
                         TokenId token) {
  if (active) return state.accept(token);
  active = token == after;
  return true;
}

void AnswerGrammar::accept(TokenId token) {
  ENSURE(step(state_, active_, after_, token), "a token that was sampled under a mask is allowed");
}

std::size_t AnswerGrammar::allowed(std::span<const TokenId> drafts) const {
  GrammarState state = state_;
  bool active = active_;
  std::size_t count = 0;
  while (count < drafts.size() && step(state, active, after_, drafts[count])) ++count;
  return count;
}

}  // namespace fathom::engine
