#include "engine/text/tokenizer_grammar.hpp"

#include "engine/text/special_token.hpp"
#include "runtime/base/ensure.hpp"

namespace fathom::engine {

Result<std::shared_ptr<const GrammarVocabulary>> grammar_vocabulary(const Tokenizer& tokenizer,
                                                                    std::size_t size) {
  ENSURE(size >= tokenizer.vocab_size(), "a model has a logit for each token");
  std::vector<std::string_view> bytes(size);
  std::vector<TokenId> special;
  for (std::size_t i = 0; i < tokenizer.vocab_size(); ++i) {
    const auto token = static_cast<TokenId>(i);
    bytes[i] = tokenizer.token_bytes(token);
    if (tokenizer.is_special(token)) special.push_back(token);
  }
  return GrammarVocabulary::create({.token_bytes = bytes,
                                    .special = special,
                                    .end_of_sequence = tokenizer.eos(),
                                    .marker = tokenizer.find_special(special::kDsml)});
}

}  // namespace fathom::engine
