// The guarantee ladder: what is held on every footing there can be, as one golden table.
#include "sandbox/ladder.hpp"

#include "tests/sandbox/session/golden_text.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

namespace fathom::sandbox {
namespace {

using policies::Guarantee;
using policies::Strength;

std::string table_of(const Footing& footing) {
  std::string text = std::string(name_of(footing.rung)) + ", Landlock ABI " +
                     std::to_string(footing.landlock_abi) +
                     (footing.root ? ", root " + std::string(name_of(footing.root_mode)) : "") +
                     ", memory by " + std::string(name_of(footing.memory)) + ", pids by " +
                     std::string(name_of(footing.pids)) + "\n";
  for (const GuaranteeState& state : guarantees_of(footing)) {
    text += "  " + std::string(policies::name_of(state.guarantee)) + ": " +
            std::string(policies::name_of(state.strength)) + " by " + state.mechanism;
    if (!state.reason.empty()) text += "; " + state.reason;
    text += "\n";
  }
  return text;
}

std::vector<Footing> footings() {
  std::vector<Footing> all;
  for (const Rung rung : {Rung::full, Rung::no_network_ns})
    for (const int abi : {0, 7})
      all.push_back({rung, abi, false, {}, LimitBy::cgroup_v2, LimitBy::user_namespace});
  for (const RootMode mode : {RootMode::idmapped, RootMode::workspace, RootMode::unmapped})
    all.push_back({Rung::full, 7, true, mode, LimitBy::cgroup_v1, LimitBy::cgroup_v1});
  for (const int abi : {1, 2, 3})
    all.push_back({Rung::container_old, abi, false, {}, LimitBy::polling, LimitBy::nothing});
  for (const int abi : {4, 5, 6, 7})
    all.push_back({Rung::container, abi, false, {}, LimitBy::polling, LimitBy::nothing});
  all.push_back({Rung::container_old, 0, false, {}, LimitBy::polling, LimitBy::nothing});
  return all;
}

TEST_CASE("every footing holds what the golden table says") {
  std::string text;
  for (const Footing& footing : footings()) text += table_of(footing);
  test::check_golden("ladder.txt", text);
}

TEST_CASE("what is weaker than enforced has a reason and a fix") {
  for (const Footing& footing : footings())
    for (const GuaranteeState& state : guarantees_of(footing)) {
      INFO(table_of(footing));
      INFO(policies::name_of(state.guarantee));
      CHECK_FALSE(state.mechanism.empty());
      CHECK(state.reason.empty() == (state.strength == Strength::enforced));
      CHECK(state.fix.empty() == (state.strength == Strength::enforced));
    }
}

TEST_CASE("every footing states each guarantee once, in order") {
  for (const Footing& footing : footings()) {
    const auto states = guarantees_of(footing);
    REQUIRE(states.size() == policies::kGuarantees);
    for (std::size_t i = 0; i < states.size(); ++i)
      CHECK(static_cast<std::size_t>(states[i].guarantee) == i);
  }
}

TEST_CASE("missing is what is weaker than required, nothing else") {
  const auto held =
      guarantees_of({Rung::container, 7, false, {}, LimitBy::polling, LimitBy::nothing});
  std::vector<Strength> require(policies::kGuarantees, Strength::none);
  CHECK(missing_guarantees(held, require).empty());
  CHECK(missing_guarantees(held, {}).empty());
  CHECK(missing_guarantees(held, policies::Policy::default_require()).empty());
  require[static_cast<std::size_t>(Guarantee::tree_kill)] = Strength::best_effort;
  CHECK(missing_guarantees(held, require).empty());
  require[static_cast<std::size_t>(Guarantee::tree_kill)] = Strength::enforced;
  require[static_cast<std::size_t>(Guarantee::pids)] = Strength::best_effort;
  const auto missing = missing_guarantees(held, require);
  REQUIRE(missing.size() == 2);
  CHECK(missing[0].guarantee == Guarantee::tree_kill);
  CHECK(missing[1].guarantee == Guarantee::pids);
}

TEST_CASE("the default policy starts in a container and not below ABI 3") {
  const auto starts = [](Rung rung, int abi) {
    return missing_guarantees(
               guarantees_of({rung, abi, false, {}, LimitBy::polling, LimitBy::nothing}),
               policies::Policy::default_require())
        .empty();
  };
  CHECK(starts(Rung::container, 4));
  CHECK(starts(Rung::container_old, 3));
  CHECK_FALSE(starts(Rung::container_old, 2));
  CHECK_FALSE(starts(Rung::container_old, 1));
  CHECK_FALSE(starts(Rung::container_old, 0));
}

}  // namespace
}  // namespace fathom::sandbox
