#include "engine/text/grammar_mask.hpp"

#include "tests/engine/text/grammar_fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

using namespace fathom::engine;
using namespace fathom::engine::test;

namespace {

const TestVocabulary& vocabulary() {
  static const TestVocabulary made(2'500);
  return made;
}

const std::vector<GrammarTool>& tools() {
  static const std::vector<GrammarTool> made = {
      {"read", R"({"type":"object","properties":{"path":{"type":"string"},
                   "range":{"type":"array","items":{"type":"integer"},"maxItems":2}},
                   "required":["path"]})"},
      {"mode", R"({"type":"object","properties":{"to":{"enum":["on","once",1,null]},
                   "deep":{}}})"},
      {"stop", ""}};
  return made;
}

std::vector<std::shared_ptr<const Grammar>> grammars() {
  std::vector<std::shared_ptr<const Grammar>> made;
  constexpr std::string_view kSchemas[] = {
      R"({})",
      R"({"type":"object","properties":{"a":{"type":"string","maxLength":9},
          "ab":{"type":"number"},"b":{"enum":["x","xy",1,12]}},
          "required":["ab"],"additionalProperties":true})",
      R"({"type":"array","items":{"type":"string","minLength":3,"maxLength":40}})",
      R"({"anyOf":[{"type":"string"},{"enum":["true","name"]},{"type":"array",
          "items":{"anyOf":[{"type":"integer"},{"type":"number"},{"type":"string","minLength":4}]},
          "minItems":1,"maxItems":9}]})"};
  for (const std::string_view schema : kSchemas)
    made.push_back(Grammar::json_schema(vocabulary().prepared(), schema).value());
  for (const CallChoice choice : {CallChoice::automatic, CallChoice::required})
    made.push_back(
        Grammar::tool_calls(vocabulary().prepared(), tools(), {.choice = choice}).value());
  return made;
}

TokenId random_allowed(std::span<const std::uint64_t> mask, Dice& dice) {
  std::vector<TokenId> allowed;
  for (std::size_t i = 0; i < vocabulary().size(); ++i)
    if (has_bit(mask, static_cast<TokenId>(i))) allowed.push_back(static_cast<TokenId>(i));
  return allowed[dice.roll(allowed.size())];
}

}  // namespace

TEST_CASE("the mask is what asking for every token would give", "[engine]") {
  for (const auto& grammar : grammars()) {
    Dice dice(7);
    for (int round = 0; round < 12; ++round) {
      GrammarState state(grammar);
      for (int step = 0; step < 40 && !state.ended(); ++step) {
        const auto mask = mask_of(state, vocabulary().size());
        REQUIRE(mask == mask_by_force(state, vocabulary().size()));
        // Again, from what was remembered.
        REQUIRE(mask == mask_of(state, vocabulary().size()));
        REQUIRE(state.accept(random_allowed(mask, dice)));
      }
    }
  }
}

TEST_CASE("the mask is exact at the size of a real vocabulary", "[engine]") {
  const TestVocabulary large(129'280);
  const auto random_token = [&](std::span<const std::uint64_t> mask, Dice& dice) {
    for (;;)
      if (const auto token = static_cast<TokenId>(dice.roll(large.size())); has_bit(mask, token))
        return token;
  };
  constexpr std::string_view kSchema =
      R"({"type":"object","properties":{"name":{"type":"string"},"short":{"type":"string",
          "maxLength":20}},"additionalProperties":{"type":"array","items":{"type":"string"}}})";
  Dice dice(3);
  for (const auto& grammar :
       {Grammar::json_schema(large.prepared(), kSchema).value(),
        Grammar::tool_calls(large.prepared(), tools(), {.choice = CallChoice::required}).value()}) {
    for (int round = 0; round < 3; ++round) {
      GrammarState state(grammar);
      for (int step = 0; step < 12 && !state.ended(); ++step) {
        const auto mask = mask_of(state, large.size());
        REQUIRE(mask == mask_by_force(state, large.size()));
        REQUIRE(state.accept(random_token(mask, dice)));
      }
    }
  }
}

TEST_CASE("a refused token changes nothing", "[engine]") {
  for (const auto& grammar : grammars()) {
    Dice dice(8);
    GrammarState state(grammar);
    for (int step = 0; step < 60 && !state.ended(); ++step) {
      const auto mask = mask_of(state, vocabulary().size());
      const GrammarState before = state;
      for (int tries = 0; tries < 50; ++tries) {
        const auto token = static_cast<TokenId>(dice.roll(vocabulary().size()));
        if (has_bit(mask, token)) continue;
        REQUIRE_FALSE(state.accept(token));
        REQUIRE(state == before);
      }
      REQUIRE(state.accept(random_allowed(mask, dice)));
    }
  }
}

TEST_CASE("a copy is a branch: drafts leave no trace", "[engine]") {
  for (const auto& grammar : grammars()) {
    Dice dice(9);
    GrammarState state(grammar);
    GrammarState plain(grammar);
    for (int step = 0; step < 60 && !state.ended(); ++step) {
      const GrammarState before = state;
      for (std::size_t drafted = dice.roll(5); drafted > 0 && !state.ended(); --drafted)
        REQUIRE(state.accept(random_allowed(mask_of(state, vocabulary().size()), dice)));
      state = before;
      const auto mask = mask_of(state, vocabulary().size());
      REQUIRE(mask == mask_of(plain, vocabulary().size()));
      const TokenId token = random_allowed(mask, dice);
      REQUIRE(state.accept(token));
      REQUIRE(plain.accept(token));
      REQUIRE(state == plain);
    }
  }
}

TEST_CASE("special tokens and bytes that are no text are never allowed", "[engine]") {
  const auto grammar = grammars()[4];
  const auto mask = mask_of(GrammarState(grammar), vocabulary().size());
  CHECK_FALSE(has_bit(mask, TestVocabulary::kBegin));
  CHECK_FALSE(has_bit(mask, TestVocabulary::kThink));
  CHECK_FALSE(has_bit(mask, TestVocabulary::kMarker));
  CHECK(has_bit(mask, TestVocabulary::kEnd));
  GrammarState state(grammar);
  CHECK_FALSE(state.accept(TestVocabulary::kMarker + 1 + 0xFF));
  CHECK_FALSE(state.accept(TestVocabulary::kMarker + 1 + 0xC0));
  CHECK_FALSE(state.accept(-1));
  CHECK_FALSE(state.accept(static_cast<TokenId>(vocabulary().size())));
}

TEST_CASE("where there is no choice the text is known in advance", "[engine]") {
  const auto forced_behind = [](const std::shared_ptr<const Grammar>& grammar,
                                std::string_view text) {
    Dice dice(1);
    GrammarState state(grammar);
    for (const TokenId token : vocabulary().cut(text, dice)) REQUIRE(state.accept(token));
    return state.forced();
  };
  const auto automatic = grammars()[4];
  const auto required = grammars()[5];
  CHECK(forced_behind(automatic, "").empty());
  CHECK(forced_behind(automatic, "Let me see.\n\n<｜DSML｜") ==
        "tool_calls>\n<｜DSML｜invoke name=\"");
  CHECK(forced_behind(required, "") == "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"");
  const std::string invoke = "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"";
  CHECK(forced_behind(required, invoke + "r") == "ead\">\n<｜DSML｜parameter name=\"");
  CHECK(forced_behind(required, invoke + "stop\">\n") == "\n</｜DSML｜invoke>\n<");
  CHECK(forced_behind(required, invoke + "read\">\n<｜DSML｜parameter name=\"p") ==
        "ath\" string=\"true\">");
}

TEST_CASE("a mask promises nothing that more alternatives than are followed would break",
          "[engine]") {
  // Two hundred branches that begin alike, each of two words: 400 ways to be inside of.
  std::string schema = R"({"anyOf":[)";
  for (int i = 0; i < 200; ++i) {
    const std::string name = std::to_string(i);
    schema += (i == 0 ? "" : ",") +
              (R"({"type":"array","minItems":1,"maxItems":1,"items":{"anyOf":[{"const":"b_)" +
               name + R"(_0"},{"const":"b_)" + name + R"(_1"}]}})");
  }
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  const std::string word = "\"b_199_1";
  for (std::size_t size = 2; size <= word.size(); ++size) tokens.push_back(word.substr(0, size));
  tokens.emplace_back("<end>");
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  const auto end = static_cast<TokenId>(views.size() - 1);
  const auto words =
      GrammarVocabulary::create(
          {.token_bytes = views, .special = std::span(&end, 1), .end_of_sequence = end})
          .value();
  const auto grammar = Grammar::json_schema(words, schema + "]}").value();
  Dice dice(1);
  for (int round = 0; round < 20; ++round) {
    GrammarState state(grammar);
    for (int step = 0; step < 100 && !state.ended(); ++step) {
      const auto mask = mask_of(state, views.size());
      std::vector<TokenId> allowed;
      for (TokenId token = 0; token <= end; ++token)
        if (has_bit(mask, token)) allowed.push_back(token);
      REQUIRE(!allowed.empty());
      for (const TokenId token : allowed) {
        GrammarState next = state;
        REQUIRE(next.accept(token));
      }
      REQUIRE(state.accept(allowed.back() == end ? end : allowed[dice.roll(allowed.size())]));
    }
    CHECK(state.ended());
  }
}

TEST_CASE("a vocabulary that could lead into a dead end is refused", "[engine]") {
  std::vector<std::string> bytes;
  for (int byte = 0; byte < 256; ++byte)
    if (byte != '{') bytes.emplace_back(1, static_cast<char>(byte));
  bytes.emplace_back("{x");
  const std::vector<std::string_view> views(bytes.begin(), bytes.end());
  const auto made = GrammarVocabulary::create({.token_bytes = views, .end_of_sequence = 0});
  REQUIRE_FALSE(made);
  CHECK(made.error().message.starts_with("vocabulary: byte "));
  const TokenId outside[] = {TokenId{9'999}};
  CHECK(GrammarVocabulary::create({.token_bytes = views, .special = outside}).error().message ==
        "vocabulary: special token 9999 does not exist");
}

TEST_CASE("more states than are remembered are learnt again", "[engine]") {
  const auto grammar =
      Grammar::json_schema(vocabulary().prepared(), R"({"type":"array","maxItems":5000,
                           "items":{"type":"integer"}})")
          .value();
  GrammarState state(grammar);
  Dice dice(1);
  REQUIRE(state.accept(vocabulary().cut("[", dice)[0]));
  for (std::size_t i = 0; i < kRememberedStacksMax; ++i) {
    for (const char byte : {'1', ','}) REQUIRE(state.accept(TestVocabulary::kMarker + 1 + byte));
    (void)mask_of(state, vocabulary().size());
  }
  CHECK(mask_of(state, vocabulary().size()) == mask_by_force(state, vocabulary().size()));
}
