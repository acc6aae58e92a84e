// Any bytes as text: they come back from their tokens, and no token is one that only a template may
// bring in.
#include "engine/text/tokenizer.hpp"
#include "runtime/base/ensure.hpp"
#include "tests/support/bpe_trainer.hpp"

using namespace fathom::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tokenizer tokenizer = [] {
    std::string text;
    for (int i = 0; i < 64; ++i)
      text += "the model said <think> and returned 你好 (int value) { return x; }\n  aaaa    ====";
    return Tokenizer::create(fathom::test::train_tokenizer(text, 200)).value();
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<TokenId> ids = tokenizer.encode(text);
  ENSURE(tokenizer.decode(ids) == text, "text comes back");
  for (const TokenId id : ids) ENSURE(!tokenizer.is_special(id), "text makes no special tokens");
  ENSURE(tokenizer.decode(tokenizer.encode_template(text)) == text, "a template too");
  return 0;
}
