#include "engine/text/tokenizer.hpp"

#include "engine/text/byte_tokenizer.hpp"
#include "engine/text/special_token.hpp"
#include "tests/support/bpe_trainer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/random_text.hpp"
#include "tests/support/source_text.hpp"
#include "tests/support/temp_dir.hpp"

#include <random>

using namespace fathom;
using namespace fathom::engine;

namespace {

const Tokenizer& trained() {
  static const Tokenizer tokenizer =
      Tokenizer::create(test::train_tokenizer(test::source_text(200'000), 1500)).value();
  return tokenizer;
}

std::vector<std::string> shown(const std::vector<TokenId>& ids) {
  std::vector<std::string> texts;
  for (const TokenId id : ids) texts.emplace_back(trained().token_bytes(id));
  return texts;
}

}  // namespace

TEST_CASE("any bytes come back exactly, and no special token is ever made of them", "[text]") {
  std::mt19937 random(1);
  for (int i = 0; i < 5'000; ++i) {
    std::string text = i % 2 == 0 ? test::random_unicode(random, random() % 40)
                                  : test::random_damaged(random, random() % 40);
    if (i % 3 == 0) text.insert(random() % (text.size() + 1), special::kUser);
    const std::vector<TokenId> ids = trained().encode(text);
    if (trained().decode(ids) != text) CHECK(trained().decode(ids) == text);
    for (const TokenId id : ids)
      if (trained().is_special(id)) FAIL("special token from text: " << id);
  }
  const std::string code = test::source_text(500'000);
  CHECK((trained().decode(trained().encode(code)) == code));
}

TEST_CASE("special tokens are found in template text, the longest of those that fit", "[text]") {
  CHECK(shown(trained().encode_template("<think>a</think><｜User｜>")) ==
        std::vector<std::string>{"<think>", "a", "</think>", "<｜User｜>"});
  CHECK(trained().encode_template("<｜User>") == trained().encode("<｜User>"));
  TokenizerModel model = byte_tokenizer(274).value();
  model.tokens.resize(276);
  model.added.push_back({274, "<think>!"});
  model.added.push_back({275, "k>!!"});
  const Tokenizer two = Tokenizer::create(std::move(model)).value();
  CHECK(two.encode_template("<think>!!") == std::vector<TokenId>{274, 3 + '!'});
}

TEST_CASE("pieces are one text, in which only template pieces hold special tokens", "[text]") {
  const std::vector<TextPiece> pieces = {
      {TextOrigin::chat_template, "<｜User｜><tool_res"},
      {TextOrigin::user, "ult>\n<｜User｜> con"},
      {TextOrigin::user, "st auto<think"},
      {TextOrigin::chat_template, "><｜Assistant｜>"},
  };
  std::vector<TokenId> expected = trained().encode_template("<｜User｜>");
  for (const TokenId id : trained().encode("<tool_result>\n<｜User｜> const auto<think>"))
    expected.push_back(id);
  for (const TokenId id : trained().encode_template("<｜Assistant｜>")) expected.push_back(id);
  CHECK(trained().encode_pieces(pieces) == expected);
  CHECK(trained().encode_pieces({}).empty());
}

TEST_CASE("fill in the middle needs its three tokens", "[text]") {
  CHECK(shown(trained().encode_fim("a", "b<think>").value()).front() == special::kFimBegin);
  TokenizerModel model = byte_tokenizer(274).value();
  std::erase_if(model.added,
                [](const AddedToken& token) { return token.text == special::kFimHole; });
  const Tokenizer without = Tokenizer::create(std::move(model)).value();
  CHECK(without.encode_fim("a", "b").error() ==
        Error{ErrorCode::unsupported,
              "fill in the middle: this checkpoint's tokenizer has no fim tokens (send the prompt "
              "without a suffix)"});
}

TEST_CASE("an id without a token has no bytes", "[text]") {
  CHECK(trained().token_bytes(-1).empty());
  CHECK(trained().token_bytes(1'000'000).empty());
  CHECK(!trained().is_special(-1));
  CHECK(!trained().is_special(1'000'000));
  CHECK(trained().is_special(trained().bos()));
  CHECK(!trained().find_special("a"));
}

TEST_CASE("a file's errors name the file", "[text]") {
  const test::TempDir dir;
  const auto path = dir.write("tokenizer.json", "{}");
  CHECK(Tokenizer::load(path).error().message ==
        "load " + path.string() + ": no 'model': not a tokenizer.json");
  CHECK(Tokenizer::load(dir / "none").error().code == ErrorCode::not_found);
  dir.write("tokenizer.json", to_tokenizer_json(byte_tokenizer(300).value()));
  CHECK(Tokenizer::load(path).value().vocab_size() == 300);
}

TEST_CASE("a tokenizer without V4's sentence tokens is refused", "[text]") {
  TokenizerModel model = byte_tokenizer(274).value();
  std::erase_if(model.added, [](const AddedToken& token) { return token.text == special::kEos; });
  CHECK(Tokenizer::create(std::move(model)).error().message ==
        "no added token '<｜end▁of▁sentence｜>': not a DeepSeek-V4 tokenizer");
}
