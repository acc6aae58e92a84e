#include "engine/text/byte_tokenizer.hpp"

#include "engine/text/tokenizer.hpp"
#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::engine;

TEST_CASE("a byte tokenizer's file can be used as it is, with a text for each id", "[text]") {
  const std::string json = to_tokenizer_json(byte_tokenizer(512).value());
  const Tokenizer tokenizer = Tokenizer::parse(json).value();
  CHECK(tokenizer.vocab_size() == 512);
  CHECK(tokenizer.bos() == 0);
  CHECK(tokenizer.eos() == 1);
  CHECK(tokenizer.encode("a\xFF") == std::vector<TokenId>{3 + 'a', 3 + 0xFF});
  for (TokenId id = 0; id < 512; ++id) CHECK(!tokenizer.token_bytes(id).empty());
  CHECK(tokenizer.token_bytes(511) == "<｜place▁holder▁no▁237｜>");
}

TEST_CASE("a vocabulary too small for the bytes and markers is refused with the range", "[text]") {
  CHECK(byte_tokenizer(273).error() ==
        Error{ErrorCode::usage, "a byte tokenizer cannot have 273 tokens (choose 274 to 262144)"});
  CHECK(byte_tokenizer(274).has_value());
}
