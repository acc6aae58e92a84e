#include "engine/local/prompt_lookup.hpp"

#include "engine/local/draft_policy.hpp"
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

TEST_CASE("drafts grow with success and pause after failure", "[engine]") {
  DraftPolicy policy;
  CHECK(policy.length() == DraftPolicy::kDraftStart);
  policy.verified(4, 4);
  policy.verified(8, 8);
  CHECK(policy.length() == DraftPolicy::kDraftMax);
  policy.verified(15, 10);
  CHECK(policy.length() == 10);
  policy.verified(10, 0);
  CHECK(policy.length() == 0);
  policy.skipped();
  policy.skipped();
  CHECK(policy.length() == 5);
  for (int i = 0; i < 20; ++i) {
    while (policy.length() == 0) policy.skipped();
    policy.verified(2, 0);
  }
  int waited = 0;
  for (; policy.length() == 0; ++waited) policy.skipped();
  CHECK(waited == static_cast<int>(DraftPolicy::kPauseMax));
  CHECK(policy.counts().accepted == 22);
}
