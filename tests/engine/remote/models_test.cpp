#include "engine/remote/models.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::engine;

TEST_CASE("a hosted model's context and price are known at its vendor only", "[engine]") {
  const HostedModel pro = find_model(Vendor::deepseek, "deepseek-v4-pro");
  CHECK(pro.context_tokens == 1'000'000);
  REQUIRE(pro.price);
  CHECK(pro.price->reused < pro.price->prompt);
  CHECK(pro.price->prompt < pro.price->completion);
  CHECK(pro.warning.empty());
  const HostedModel elsewhere = find_model(Vendor::other, "deepseek-v4-pro");
  CHECK(elsewhere.name == "deepseek-v4-pro");
  CHECK_FALSE(elsewhere.price);
  CHECK(elsewhere.context_tokens == kContextTokensDefault);
}

TEST_CASE("names that have ended are asked for as what they meant, with a warning", "[engine]") {
  const HostedModel chat = find_model(Vendor::deepseek, "deepseek-chat");
  CHECK(chat.name == "deepseek-v4-flash");
  CHECK(chat.effort == "none");
  CHECK(chat.price);
  CHECK(chat.warning ==
        "the name 'deepseek-chat' ended on 24 July 2026: 'deepseek-v4-flash' without thinking is "
        "asked instead; write that name");
  const HostedModel reasoner = find_model(Vendor::deepseek, "deepseek-reasoner");
  CHECK(reasoner.name == "deepseek-v4-flash");
  CHECK(reasoner.effort.empty());
  CHECK(reasoner.warning.contains("with thinking"));
  CHECK(find_model(Vendor::other, "deepseek-chat").warning.empty());
}
