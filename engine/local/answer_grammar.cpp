#include "engine/local/answer_grammar.hpp"

#include <algorithm>
#include <utility>

namespace fathom::engine {

AnswerGrammar::AnswerGrammar(std::shared_ptr<const Grammar> grammar, std::optional<TokenId> after,
                             std::size_t vocabulary, TokenId end)
    : state_(std::move(grammar)),
      after_(after),
      end_(end),
      active_(!after),
      mask_((vocabulary + 63) / 64) {}

std::span<const std::uint64_t> AnswerGrammar::mask() {
  if (active_) {
    state_.mask(mask_);
  } else {
    std::ranges::fill(mask_, ~std::uint64_t{0});
    mask_[static_cast<std::size_t>(end_) / 64] &= ~(std::uint64_t{1} << (end_ % 64));
  }
  return mask_;
}

bool AnswerGrammar::step(GrammarState& state, bool& active, TokenId token) const {
  if (active) return state.accept(token);
  active = token == after_;
  return token != end_;
}

std::size_t AnswerGrammar::allowed(std::span<const TokenId> drafts) const {
  if (drafts.empty()) return 0;
  GrammarState state = state_;
  bool active = active_;
  std::size_t count = 0;
  while (count < drafts.size() && step(state, active, drafts[count])) ++count;
  return count;
}

}  // namespace fathom::engine
