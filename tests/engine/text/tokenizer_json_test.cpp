#include "engine/text/tokenizer_json.hpp"

#include "engine/text/byte_tokenizer.hpp"
#include "engine/text/special_token.hpp"
#include "tests/support/bpe_trainer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/source_text.hpp"

using namespace fathom;
using namespace fathom::engine;

namespace {

// A good file with one thing changed.
std::string changed(std::string_view from, std::string_view to) {
  TokenizerModel model = byte_tokenizer(274).value();
  for (std::string_view text : {"ab", "abc"}) model.tokens.emplace_back(text);
  const auto byte = [](char c) { return 3 + static_cast<TokenId>(c); };
  model.merges = {{byte('a'), byte('b'), 274}, {274, byte('c'), 275}};
  std::string json = to_tokenizer_json(model);
  const std::size_t at = json.find(from);
  if (at == std::string::npos) FAIL("the file has no " << from);
  return json.replace(at, from.size(), to);
}

std::string error_of(std::string_view json) {
  const auto parsed = parse_tokenizer_json(json);
  return parsed ? "" : parsed.error().message;
}

}  // namespace

TEST_CASE("what is written is read back", "[text]") {
  const TokenizerModel model = test::train_tokenizer(test::source_text(50'000), 300);
  const TokenizerModel again = parse_tokenizer_json(to_tokenizer_json(model)).value();
  CHECK(again.tokens == model.tokens);
  CHECK(again.added == model.added);
  REQUIRE(again.merges.size() == model.merges.size());
  for (std::size_t rank = 0; rank < model.merges.size(); ++rank)
    CHECK(again.merges[rank].result == model.merges[rank].result);
}

TEST_CASE("merges may be pairs, added tokens may stand in the vocabulary too", "[text]") {
  CHECK(error_of(changed("\"a b\"", R"(["a", "b"])")).empty());
  CHECK(error_of(changed("\"vocab\":{", "\"vocab\":{\"<｜begin▁of▁sentence｜>\":0,")).empty());
  CHECK(error_of(
            changed(R"("normalizer":null)", R"("normalizer":{"type":"Sequence","normalizers":[]})"))
            .empty());
  CHECK(error_of(changed(R"([^\\r\\n\\p{L})", "[^\\r\\n\\\\p{L}")).empty());
}

TEST_CASE("a file that is not V4's tokenizer is refused by what is wrong with it", "[text]") {
  CHECK(error_of("{}") == "no 'model': not a tokenizer.json");
  CHECK(error_of("[") == "byte 1: the text ends where a value should stand");
  CHECK(error_of(changed(R"("type":"BPE")", R"("type":"Unigram")")) ==
        "model: type is 'Unigram', expected 'BPE' (not a DeepSeek-V4 tokenizer)");
  CHECK(error_of(changed(R"("byte_fallback":false)", R"("byte_fallback":true)")) ==
        "model: byte_fallback is not supported");
  CHECK(error_of(changed(R"("normalizer":null)", R"("normalizer":{"type":"NFC"})")) ==
        "normalizer: 'NFC' is not supported: DeepSeek-V4 has none");
  CHECK(error_of(changed(R"("type":"Sequence")", R"("type":"Whitespace")")) ==
        "pre_tokenizer: expected DeepSeek-V4's Sequence, not 'Whitespace'");
  CHECK(error_of(changed(R"(\\p{N}{1,3})", R"(\\p{N}+)")) ==
        R"(pre_tokenizer: step 1: its expression is '\p{N}+', expected '\p{N}{1,3}')");
  CHECK(error_of(changed("Isolated", "Removed")) ==
        "pre_tokenizer: step 1: its behavior must be Isolated");
  CHECK(error_of(changed(R"("add_prefix_space":false)", R"("add_prefix_space":true)")) ==
        "pre_tokenizer: step 4: add_prefix_space must be false");
}

TEST_CASE("a vocabulary that contradicts itself is refused by the entry", "[text]") {
  CHECK(error_of(changed("\"a\":100", "\"a\":101")) == "id 101 is both 'a' and 'b'");
  CHECK(error_of(changed("\"a\":100", "\"a\":0")) ==
        "id 0 is both '<｜begin▁of▁sentence｜>' and 'a'");
  CHECK(error_of(changed("\"a\":100", "\"a\":-1")) == "token 'a': its id is not a whole number");
  CHECK(error_of(changed("\"a\":100", "\"a\":9000000")) ==
        "token 'a': id 9000000 is not below the limit of 262144");
  CHECK(error_of(changed("\"a\":100", "\"zz\":100")) ==
        "model: no token for byte 97 (a): not a byte-level vocabulary");
  CHECK(error_of(changed("\"ab\":274", "\"日\":274")) ==
        "token '日' is not spelled in the byte alphabet");
  CHECK(error_of(changed("\"a b\"", "\"a bb\"")) == "merge 0: unknown token 'bb'");
  CHECK(error_of(changed("\"a b\"", "\"a b c\"")) == "merge 0: not a pair of tokens");
  CHECK(error_of(changed("\"a b\"", "\"a c\"")) ==
        "merge 0: makes 'ac', which is not in the vocabulary");
  CHECK(error_of(changed("\"ab c\"", "\"a b\"")) == "merge 1: its pair already has a merge");
  CHECK(error_of(changed("<think>", "</think>")) == "added token '</think>' stands twice");
  CHECK(error_of(changed(R"("lstrip":false)", R"("lstrip":true)")) ==
        "added token '<｜begin▁of▁sentence｜>': lstrip is not supported");
}

TEST_CASE("every cut of the file is refused", "[text]") {
  const std::string json = to_tokenizer_json(byte_tokenizer(274).value());
  for (std::size_t size = 0; size + 2 < json.size(); size += 7)
    if (parse_tokenizer_json(json.substr(0, size))) FAIL("accepted at " << size);
}
