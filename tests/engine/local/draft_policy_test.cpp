#include "engine/local/draft_policy.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::engine;

namespace {

/// Steps that take `first` for one token and `further` for each that comes with it.
StepCosts costs(double first, double further) {
  StepCosts out;
  for (std::size_t n = 1; n <= 16; ++n) out.record(n, first + further * static_cast<double>(n - 1));
  return out;
}

constexpr DraftChance kPlenty{.available = 100};

}  // namespace

TEST_CASE("cheap and likely drafts are long, dear or unlikely ones short", "[engine]") {
  DraftPolicy sure(0.99);
  CHECK(sure.plan(costs(1, 0.05), kPlenty) == DraftPolicy::kDraftMax);
  CHECK(sure.plan(costs(1, 0.05), {.available = 3}) == 3);
  CHECK(sure.plan(costs(1, 0.05), {.available = 0}) == 0);
  DraftPolicy doubtful(0.6);
  const std::size_t cheap = doubtful.plan(costs(1, 0.05), kPlenty);
  const std::size_t dear = doubtful.plan(costs(1, 0.3), kPlenty);
  CHECK(cheap > dear);
  CHECK(dear > 0);
}

TEST_CASE("where drafting does not pay there is only a rare look", "[engine]") {
  const StepCosts no_gain = costs(1, 0.9);
  DraftPolicy policy(0.8);
  std::size_t drafted = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::size_t count = policy.plan(no_gain, kPlenty);
    CHECK(count <= DraftPolicy::kLookTokens);
    drafted += count;
    if (count > 0) policy.verified(count, 0);
  }
  CHECK(drafted > 0);
  CHECK(drafted < 120);  // 1 % of the tokens
}

TEST_CASE("drafting comes back when it pays again", "[engine]") {
  const StepCosts cheap = costs(1, 0.1);
  DraftPolicy policy(0.8);
  for (int i = 0; i < 1000; ++i)
    if (const std::size_t count = policy.plan(cheap, kPlenty)) policy.verified(count, 0);
  CHECK(policy.likely() < 0.1);
  int chances = 0;
  std::size_t count = 0;
  for (; count < DraftPolicy::kDraftMax && chances < 1000; ++chances) {
    count = policy.plan(cheap, kPlenty);
    if (count > 0) policy.verified(count, count);
  }
  CHECK(chances < 600);
  CHECK(policy.counts().accepted > 15);
}

TEST_CASE("what guessing costs counts", "[engine]") {
  const StepCosts cheap = costs(1, 0.1);
  DraftPolicy policy(0.6);
  CHECK(policy.plan(cheap, {.available = 1, .seconds = 0.2}) == 1);
  CHECK(policy.plan(cheap, {.available = 1, .seconds = 0.6}) == 1);  // a look
  CHECK(policy.plan(cheap, {.available = 1, .seconds = 0.6}) == 0);  // and then a pause
}

TEST_CASE("the cost of a step is learnt, and between known sizes interpolated", "[engine]") {
  StepCosts costs;
  CHECK(costs.seconds(1) == 0);
  CHECK(costs.ratio(6, 1) == Approx(2));
  costs.record(1, 0.04);
  CHECK(costs.ratio(6, 1) == Approx(2));
  costs.record(5, 0.08);
  CHECK(costs.seconds(3) == Approx(0.06));
  CHECK(costs.ratio(5, 1) == Approx(2));
  costs.record(1, 100);  // the machine was elsewhere
  CHECK(costs.seconds(1) < 0.05);
  costs.record(100'000, 1);  // no step that is told apart
  CHECK(costs.ratio(200'000, 100'000) == Approx(1));
  for (int i = 0; i < 100; ++i) costs.record(1, 0.02);
  CHECK(costs.seconds(1) == Approx(0.02).epsilon(0.01));
}
