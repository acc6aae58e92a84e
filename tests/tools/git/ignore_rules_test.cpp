#include "tools/git/ignore_rules.hpp"

#include "tests/support/catch.hpp"
#include "tests/tools/git/tree_fixture.hpp"

#include <array>
#include <random>
#include <sstream>

namespace fathom::tools {
namespace {

TEST_CASE("a glob matches as git's does", "[tools][git]") {
  struct Row {
    std::string_view pattern;
    std::string_view text;
    bool matches;
  };
  constexpr std::array<Row, 34> kRows = {{
      {"a", "a", true},
      {"a", "b", false},
      {"*.o", "x.o", true},
      {"*.o", "a/x.o", false},
      {"*", "", true},
      {"a*b*c", "aXbXbc", true},
      {"a*b*c", "aXbXb", false},
      {"?", "ab", false},
      {"[a-c]x", "bx", true},
      {"[!a-c]x", "bx", false},
      {"[^a-c]x", "dx", true},
      {"[]]", "]", true},
      {"[]-a]", "^", true},
      {"[a", "[a", false},
      {"[[:digit:]]", "7", true},
      {"[[:digit:]]", "x", false},
      {"[[:nonsense:]]", "n", false},
      {"\\*", "*", true},
      {"\\*", "x", false},
      {"a\\", "a\\", false},
      {"**", "a/b/c", true},
      {"**/c", "c", true},
      {"**/c", "a/b/c", true},
      {"**/c", "a/bc", false},
      {"a/**", "a", false},
      {"a/**", "a/b", true},
      {"a/**/b", "a/b", true},
      {"a/**/b", "a/x/y/b", true},
      {"a/**/b", "a/xb", false},
      {"a**b", "aXb", true},
      {"a**b", "a/b", false},
      {"a/**/b/**/c", "a/b/x/b/c", true},
      {"[a/b]", "a/b", false},
      {"a[/]b", "a/b", false},
  }};
  for (const Row& row : kRows) {
    INFO(row.pattern << " against " << row.text);
    CHECK(matches_glob(row.pattern, row.text) == row.matches);
  }
}

TEST_CASE("the last pattern that matches decides, and a slash anchors", "[tools][git]") {
  const IgnoreFile file = IgnoreFile::parse(
      "# a comment\n*.log\n!keep.log\n/top\nsub/deep\nbuild/\n\\#hash\n\\!bang\nspaced\\ \r\n   "
      "\n");
  CHECK(file.about("a/x.log", false) == Ignored::yes);
  CHECK(file.about("a/keep.log", false) == Ignored::no);
  CHECK(file.about("top", false) == Ignored::yes);
  CHECK(file.about("a/top", false) == Ignored::unsaid);
  CHECK(file.about("sub/deep", false) == Ignored::yes);
  CHECK(file.about("a/sub/deep", false) == Ignored::unsaid);
  CHECK(file.about("a/build", true) == Ignored::yes);
  CHECK(file.about("a/build", false) == Ignored::unsaid);
  CHECK(file.about("#hash", false) == Ignored::yes);
  CHECK(file.about("!bang", false) == Ignored::yes);
  CHECK(file.about("spaced ", false) == Ignored::yes);
  CHECK(file.about("# a comment", false) == Ignored::unsaid);
}

TEST_CASE("a deeper ignore file stands behind a shallower one", "[tools][git]") {
  IgnoreRules rules(IgnoreFile::parse("*.base\n"));
  rules.enter("", IgnoreFile::parse("*.o\n/a/x\n"));
  rules.enter("a", IgnoreFile::parse("!*.o\n/y\n"));
  CHECK(rules.is_ignored("a/b.base", false));
  CHECK_FALSE(rules.is_ignored("a/b.o", false));
  CHECK(rules.is_ignored("a/x", false));
  CHECK(rules.is_ignored("a/y", false));
  rules.leave();
  CHECK(rules.is_ignored("b.o", false));
  CHECK_FALSE(rules.is_ignored("y", false));
}

TEST_CASE("patterns made to be slow are not", "[tools][git]") {
  std::string pattern;
  for (int i = 0; i < 2'000; ++i) pattern += "*a";
  CHECK_FALSE(matches_glob(pattern + "b", std::string(4'000, 'a')));
  std::string stars = "x";
  std::string path = "x";
  for (int i = 0; i < 500; ++i) stars += "/**/a";
  for (int i = 0; i < 1'000; ++i) path += "/a";
  CHECK_FALSE(matches_glob(stars + "/b", path));
}

TEST_CASE("random ignore files mean what they mean to git", "[tools][git][e2e]") {
  constexpr std::array<std::string_view, 24> kPieces = {
      "a", "b", "ab",  "*",   "**",   "/",   "?",   "[ab]", "!",   "\\",  "*.c", "a/",
      " ", "#", "**/", "/**", "[!a]", "a/b", "[a-", "c",    "b.c", "\\*", "/a",  "[]a]"};
  constexpr std::array<std::string_view, 14> kPaths = {
      "a",   "b",     "ab",        "a/b", "b/a", "a/b/c", "ab/b.c",
      "b.c", "c/c/c", "c/a/b/b.c", "a/a", "b/b", "ab/ab", "c/b.c"};
  std::mt19937 random(1);
  const test::Workspace workspace;
  test::git(workspace.root, {"init", "-q"});
  for (int round = 0; round < 60; ++round) {
    std::string text;
    for (int line = 0; line < 6; ++line) {
      for (int piece = 0; piece < 1 + static_cast<int>(random() % 3); ++piece)
        text += kPieces[random() % kPieces.size()];
      text += '\n';
    }
    workspace.write(".git/info/exclude", text);
    const IgnoreRules rules(IgnoreFile::parse(text));
    std::vector<std::string> words = {"check-ignore", "-v", "-n", "--no-index"};
    for (const std::string_view path : kPaths) words.emplace_back(path);
    // `SOURCE:LINE:PATTERN\tPATH`; nothing before the tab where no pattern is about it.
    std::istringstream answers(test::git(workspace.root, words));
    for (const std::string_view path : kPaths) {
      std::string answer;
      std::getline(answers, answer);
      const std::string rule = answer.substr(0, answer.find('\t'));
      const std::size_t colon = rule.find(':', rule.find(':') + 1);
      const bool theirs = rule != "::" && rule[colon + 1] != '!';
      bool ours = false;
      for (std::size_t slash = path.find('/'); slash != std::string_view::npos && !ours;
           slash = path.find('/', slash + 1))
        ours = rules.is_ignored(path.substr(0, slash), true);
      ours = ours || rules.is_ignored(path, false);
      INFO(text << "-- " << path << ": " << answer);
      CHECK(ours == theirs);
    }
  }
}

}  // namespace
}  // namespace fathom::tools
