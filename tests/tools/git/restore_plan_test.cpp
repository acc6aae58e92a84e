#include "tools/git/restore_plan.hpp"

#include "tests/support/catch.hpp"

namespace fathom::tools {
namespace {

Node file(std::uint8_t content, std::uint16_t permissions = 0644) {
  Node node{NodeKind::file, permissions, {}};
  node.id[0] = content;
  return node;
}

const Node kFolder{NodeKind::folder, 0755, {}};

RestorePlan plan(const TreeState& wanted, const TreeState& now, const TreeState* left = nullptr) {
  return plan_restore({wanted, now, left, [](std::string_view) { return true; }});
}

TEST_CASE("a restore writes what differs and nothing else", "[tools][git]") {
  const TreeState wanted = {{"a", file(1)}, {"b", file(2)}, {"c", file(3)}, {"d", kFolder}};
  const TreeState now = {{"b", file(9)}, {"c", file(3, 0755)}, {"d", file(4)}, {"e", file(5)}};
  const std::vector<Change> changes = {
      {ChangeKind::create, "a", file(1), std::nullopt, false},
      {ChangeKind::rewrite, "b", file(2), file(9), false},
      {ChangeKind::set_permissions, "c", file(3), file(3, 0755), false},
      {ChangeKind::rewrite, "d", kFolder, file(4), false},
      {ChangeKind::remove, "e", std::nullopt, file(5), false}};
  CHECK(plan(wanted, now).changes == changes);
  CHECK(plan(wanted, wanted).changes.empty());
}

TEST_CASE("a folder is the same whatever is in it", "[tools][git]") {
  Node other = kFolder;
  other.id[3] = 7;
  CHECK(plan({{"d", kFolder}}, {{"d", other}}).changes.empty());
}

TEST_CASE("what the snapshot does not know to have been absent is not removed", "[tools][git]") {
  const TreeState wanted;
  const TreeState now = {{"hidden", file(1)}, {"new", file(2)}};
  const RestorePlan plan =
      plan_restore({wanted, now, nullptr, [](std::string_view path) { return path == "new"; }});
  REQUIRE(plan.changes.size() == 1);
  CHECK(plan.changes[0].path == "new");
}

TEST_CASE("what only others changed since stays theirs", "[tools][git]") {
  const TreeState wanted = {{"run", file(1)}, {"user", file(1)}, {"both", file(1)}};
  const TreeState left = {{"run", file(2)}, {"user", file(1)}, {"both", file(2)}};
  const TreeState now = {
      {"run", file(2)}, {"user", file(3)}, {"both", file(3)}, {"added", file(4)}};
  const RestorePlan found = plan(wanted, now, &left);
  CHECK(found.changes ==
        std::vector<Change>{{ChangeKind::rewrite, "both", file(1), file(3), true},
                            {ChangeKind::rewrite, "run", file(1), file(2), false}});
  CHECK(found.theirs == std::vector<std::string>{"added", "user"});
  CHECK(found.conflicts() == 1);
}

TEST_CASE("a file that the run made and the user changed is a conflict", "[tools][git]") {
  const TreeState left = {{"made", file(2)}};
  CHECK(plan({}, {{"made", file(3)}}, &left).conflicts() == 1);
  CHECK(plan({}, {{"made", file(2)}}, &left).conflicts() == 0);
  CHECK(plan({}, {}, &left).changes.empty());
}

}  // namespace
}  // namespace fathom::tools
