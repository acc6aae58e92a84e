#include "engine/local/prompt_lookup.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <vector>

using namespace fathom::engine;

namespace {

std::vector<TokenId> drafted(std::vector<TokenId> tokens, std::size_t count) {
  PromptLookup lookup;
  lookup.append(tokens);
  const auto draft = lookup.draft(count);
  return {draft.begin(), draft.end()};
}

}  // namespace

TEST_CASE("what followed the same tokens before is drafted", "[engine]") {
  const std::vector<TokenId> once = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  std::vector<TokenId> again = once;
  again.insert(again.end(), {1, 2, 3, 4, 5, 6});
  CHECK(drafted(again, 3) == std::vector<TokenId>{7, 8, 9});
  CHECK(drafted(again, 50) == std::vector<TokenId>{7, 8, 9, 10, 1, 2, 3, 4, 5, 6});
}

TEST_CASE("too short an agreement drafts nothing", "[engine]") {
  CHECK(drafted({1, 2, 3, 4, 5, 6, 7, 99, 2, 3, 4, 5, 6}, 3).empty());
  CHECK(drafted({1, 2, 3, 4, 5, 6, 7}, 3).empty());
  CHECK(drafted({}, 3).empty());
}

TEST_CASE("of several places the latest is taken", "[engine]") {
  CHECK(drafted({1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 8, 1, 2, 3, 4, 5, 6}, 1) ==
        std::vector<TokenId>{8});
}

TEST_CASE("a long sequence is searched like a short one", "[engine]") {
  // Against a search from the end, over few words so that places abound.
  std::uint32_t state = 7;
  std::vector<TokenId> tokens;
  PromptLookup lookup;
  for (int i = 0; i < 5000; ++i) {
    state = state * 1664525 + 1013904223;
    tokens.push_back(static_cast<TokenId>(state >> 30));
    lookup.append(tokens.back());
    std::vector<TokenId> expected;
    for (std::size_t end = tokens.size() - 1; end >= PromptLookup::kMatchMin; --end) {
      if (!std::equal(tokens.end() - 4, tokens.end(), tokens.begin() + static_cast<long>(end) - 4))
        continue;
      // The latest place of four that agree decides, whether or not all six do.
      if (std::equal(tokens.end() - PromptLookup::kMatchMin, tokens.end(),
                     tokens.begin() + static_cast<long>(end - PromptLookup::kMatchMin)))
        expected.assign(tokens.begin() + static_cast<long>(end),
                        tokens.begin() + static_cast<long>(std::min(end + 5, tokens.size())));
      break;
    }
    const auto draft = lookup.draft(5);
    REQUIRE(std::vector<TokenId>(draft.begin(), draft.end()) == expected);
  }
}
