// Any bytes as a JSON Schema, and as the parameters of a tool: compiling ends in a grammar or in
// one line of error, and a few walks along the masks of a grammar never come to a dead end.
#include "engine/text/grammar.hpp"
#include "runtime/base/ensure.hpp"
#include "tests/engine/text/grammar_fixture.hpp"

using namespace fathom;
using namespace fathom::engine;
using namespace fathom::engine::test;

namespace {

constexpr int kWalks = 3;
constexpr int kTokensMax = 40;

const TestVocabulary& vocabulary() {
  static const TestVocabulary made(600);
  return made;
}

void walk_a_little(const std::shared_ptr<const Grammar>& grammar, Dice& dice) {
  GrammarState state(grammar);
  for (int i = 0; i < kTokensMax && !state.ended(); ++i) {
    const auto mask = mask_of(state, vocabulary().size());
    std::vector<TokenId> allowed;
    for (std::size_t token = 0; token < vocabulary().size(); ++token)
      if (has_bit(mask, static_cast<TokenId>(token)))
        allowed.push_back(static_cast<TokenId>(token));
    ENSURE(!allowed.empty(), "there is always a way on");
    const auto asked = static_cast<TokenId>(dice.roll(vocabulary().size()));
    GrammarState copy = state;
    ENSURE(copy.accept(asked) == has_bit(mask, asked), "the mask says what accept() does");
    ENSURE(state.accept(allowed[dice.roll(allowed.size())]), "an allowed token is accepted");
  }
}

void compile_and_walk(const Grammar::Made& made, Dice& dice) {
  if (made) {
    for (int i = 0; i < kWalks; ++i) walk_a_little(*made, dice);
  } else {
    ENSURE(!made.error().message.empty(), "an error says what is wrong");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Dice dice(size);
  const auto& prepared = vocabulary().prepared();
  compile_and_walk(Grammar::json_schema(prepared, text, Unsupported::relax), dice);
  const GrammarTool tools[] = {{"fuzzed", std::string(text)}, {"plain", ""}};
  compile_and_walk(Grammar::tool_calls(prepared, tools, {.choice = CallChoice::required}), dice);
  return 0;
}
