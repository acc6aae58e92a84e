#include "sandbox/name_matcher.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::sandbox;
using policies::ProtectedName;
using policies::Protection;

namespace {

std::string rule_for(const NameMatcher& matcher, std::vector<std::string_view> folders,
                     std::string_view name) {
  const ProtectedName* found = matcher.match(folders, name);
  return found == nullptr ? "" : found->rule;
}

}  // namespace

TEST_CASE("protected names match at any depth, by parts, by '*' and in either case", "[names]") {
  const std::vector<ProtectedName> names = {{".vscode/", Protection::deny, "code"},
                                            {"*.pth", Protection::deny, "pth"},
                                            {".cargo/config.toml", Protection::deny, "cargo"},
                                            {"a*c*e", Protection::report, "glob"},
                                            {"Makefile", Protection::report, "make"},
                                            {"make*", Protection::deny, "deny"},
                                            {"x/*/z", Protection::deny, "middle"}};
  const auto matcher = NameMatcher::create(names);
  REQUIRE(matcher);
  CHECK(rule_for(*matcher, {}, ".vscode") == "code");
  CHECK(rule_for(*matcher, {"deep", "er"}, ".VSCode") == "code");
  CHECK(rule_for(*matcher, {}, ".vscode2").empty());
  CHECK(rule_for(*matcher, {}, "a.pth") == "pth");
  CHECK(rule_for(*matcher, {}, ".pth") == "pth");
  CHECK(rule_for(*matcher, {}, "a.pth2").empty());
  CHECK(rule_for(*matcher, {".cargo"}, "config.toml") == "cargo");
  CHECK(rule_for(*matcher, {".Cargo", "x"}, "config.toml") == "cargo");
  CHECK(rule_for(*matcher, {}, "config.toml").empty());
  CHECK(rule_for(*matcher, {"x", ".cargo"}, "config.toml").empty());
  CHECK(rule_for(*matcher, {}, "abcde") == "glob");
  CHECK(rule_for(*matcher, {}, "aXcYcZe") == "glob");
  CHECK(rule_for(*matcher, {}, "abde").empty());
  CHECK(rule_for(*matcher, {"y", "x"}, "z") == "middle");
  CHECK(rule_for(*matcher, {"x"}, "z").empty());
  // Denied and reported at once is denied.
  CHECK(rule_for(*matcher, {}, "Makefile") == "deny");
}

TEST_CASE("protected names without a name in a part are refused", "[names]") {
  for (std::string_view bad : {"", "/", "a//b", "../x", "./x", "/x"}) {
    const std::vector<ProtectedName> names = {{std::string(bad), Protection::deny, "r"}};
    CHECK_FALSE(NameMatcher::create(names));
  }
  const std::vector<ProtectedName> deep = {{"a/b/c/d/e/f/g/h/i", Protection::deny, "r"}};
  CHECK(NameMatcher::create(deep).error().code == ErrorCode::too_large);
}

TEST_CASE("a name made against '*' takes no long time", "[names]") {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "a*";
  const std::vector<ProtectedName> names = {{pattern + "b", Protection::deny, "r"}};
  const auto matcher = NameMatcher::create(names);
  REQUIRE(matcher);
  CHECK(rule_for(*matcher, {}, std::string(255, 'a')).empty());
}
