#include "tools/git/patch_text.hpp"

#include "tests/support/catch.hpp"

#include <array>
#include <random>

namespace fathom::tools {
namespace {

TEST_CASE("a patch of git reads as its files and hunks", "[tools][git]") {
  const auto files = parse_patch(
      "commit message\n\ndiff --git a/x.c b/x.c\nindex 123..456 100644\n--- a/x.c\n+++ b/x.c\n"
      "@@ -1,2 +1,3 @@ int main()\n one\n-two\n+2\n+3\n\\ No newline at end of file\n"
      "diff --git a/new b/new\nnew file mode 100755\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n"
      "diff --git a/old b/old\ndeleted file mode 100644\n--- a/old\n+++ /dev/null\n@@ -1 +0,0 @@\n"
      "-o\ndiff --git a/m b/m\nold mode 100644\nnew mode 100755\n"
      "diff --git a/from b/to\nsimilarity index 100%\nrename from from\nrename to to\n");
  if (!files) FAIL(files.error().message);
  REQUIRE(files->size() == 5);
  const FilePatch& first = files->at(0);
  CHECK(first.old_path == "x.c");
  REQUIRE(first.hunks.size() == 1);
  CHECK(first.hunks[0].line == 7);
  CHECK(first.hunks[0].lines ==
        std::vector<PatchLine>{{' ', "one\n"}, {'-', "two\n"}, {'+', "2\n"}, {'+', "3"}});
  CHECK(files->at(1).old_path.empty());
  CHECK(files->at(1).new_path == "new");
  CHECK(files->at(1).new_mode == 0755U);
  CHECK(files->at(2).new_path.empty());
  CHECK(files->at(3).new_mode == 0755U);
  CHECK(files->at(3).old_path == "m");
  CHECK(files->at(4).old_path == "from");
  CHECK(files->at(4).new_path == "to");
}

TEST_CASE("a patch without git's lines, with quotes and times, reads too", "[tools][git]") {
  const auto files = parse_patch(
      "--- x.c\t2024-01-01\n+++ x.c\t2024-01-02\n@@ -3 +3 @@\n-a\n+b\n"
      "--- \"a/\\303\\244 b\"\n+++ \"b/\\303\\244 b\"\n@@ -1,2 +1,2 @@\n\n-a\n+b\n");
  if (!files) FAIL(files.error().message);
  REQUIRE(files->size() == 2);
  CHECK(files->at(0).new_path == "x.c");
  CHECK(files->at(1).new_path == "\xc3\xa4 b");
  CHECK(files->at(1).hunks[0].lines[0] == PatchLine{' ', "\n"});
}

TEST_CASE("what is no patch, or leads out, is refused with its line", "[tools][git]") {
  struct Row {
    std::string_view patch;
    std::string_view error;
  };
  constexpr std::array<Row, 10> kRows = {{
      {"", "patch: no file in it: begin with '--- a/FILE' and '+++ b/FILE'"},
      {"hello\n", "patch: no file in it: begin with '--- a/FILE' and '+++ b/FILE'"},
      {"@@ -1 +1 @@\n-a\n+b\n", "patch line 1: a hunk before any '--- a/FILE' and '+++ b/FILE'"},
      {"--- a/x\n+++ b/x\n", "patch line 3: no hunk ('@@ -1,2 +1,2 @@')"},
      {"--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-a\n+b\n",
       "patch line 3: the counts in the hunk's header do not fit its lines: 1 old and 0 new are "
       "missing at line 6"},
      {"--- a/../x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
       "patch line 1: '../x': '..' is not taken, give the path from the repository's root"},
      {"--- a/x\n+++ b/.git/config\n@@ -1 +1 @@\n-a\n+b\n",
       "patch line 2: '.git/config': what is in .git is not for this"},
      {"--- a/x\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n",
       "patch line 2: '/etc/passwd': give a path relative to the repository"},
      {"diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+/etc\n",
       "patch line 2: only regular files are patched, no links or submodules"},
      {"diff --git a/x b/x\nGIT binary patch\n",
       "patch line 2: copies and binary files are not taken"},
  }};
  for (const Row& row : kRows) {
    const auto files = parse_patch(row.patch);
    INFO(row.patch);
    REQUIRE_FALSE(files);
    CHECK(files.error().message == row.error);
  }
}

std::vector<Hunk> hunks_of(std::string_view hunks) {
  const auto files = parse_patch("--- a/x\n+++ b/x\n" + std::string(hunks));
  if (!files) FAIL(files.error().message);
  return files->at(0).hunks;
}

TEST_CASE("a hunk goes where its lines stand, if that is one place", "[tools][git]") {
  const auto hunks = hunks_of("@@ -1,2 +1,2 @@\n b\n-c\n+C\n");
  CHECK(apply_hunks("b\nc\nb\nc\n", hunks).text == "b\nC\nb\nc\n");
  CHECK(apply_hunks("x\ny\nb\nc\n", hunks).text == "x\ny\nb\nC\n");
  CHECK(apply_hunks("x\nb\nc\nb\nc\n", hunks).rejected ==
        std::vector<Rejected>{{3, "its lines are in the file 2 times"}});
  CHECK(apply_hunks("x\nb\nd\n", hunks).rejected ==
        std::vector<Rejected>{{3, "its lines are not in the file"}});
}

TEST_CASE("line ends of the file are kept, a missing last one too", "[tools][git]") {
  const auto hunks = hunks_of("@@ -1,2 +1,3 @@\n a\n-b\n+B\n+C\n");
  CHECK(apply_hunks("a\r\nb\r\n", hunks).text == "a\r\nB\r\nC\r\n");
  CHECK_FALSE(apply_hunks("a\nb", hunks).rejected.empty());
  const auto open = hunks_of(
      "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+B\n\\ No newline at end of file\n");
  CHECK(apply_hunks("a\nb", open).text == "a\nB");
  CHECK_FALSE(apply_hunks("a\nb\n", open).rejected.empty());
}

TEST_CASE("an added line goes behind the line that the header names", "[tools][git]") {
  CHECK(apply_hunks("a\nb\n", hunks_of("@@ -1,0 +2 @@\n+x\n")).text == "a\nx\nb\n");
  CHECK(apply_hunks("", hunks_of("@@ -0,0 +1 @@\n+x\n")).text == "x\n");
  CHECK_FALSE(apply_hunks("a\n", hunks_of("@@ -9,0 +9 @@\n+x\n")).rejected.empty());
}

TEST_CASE("a patch between random texts gives the second from the first", "[tools][git]") {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> old_lines;
    for (unsigned i = 0; i < random() % 30; ++i)
      old_lines.push_back(std::string(1, static_cast<char>('a' + random() % 4)) + "\n");
    // One hunk for all: some lines kept, some removed, some added.
    std::string body;
    std::string before;
    std::string after;
    std::size_t added = 0;
    std::size_t kept = 0;
    for (const std::string& line : old_lines) {
      before += line;
      if (random() % 4 == 0) {
        body += "+new\n";
        after += "new\n";
        ++added;
      }
      const bool removed = random() % 4 == 0;
      body += (removed ? "-" : " ") + line;
      if (!removed) {
        after += line;
        ++kept;
      }
    }
    if (old_lines.empty()) continue;
    const auto hunks = hunks_of("@@ -1," + std::to_string(old_lines.size()) + " +1," +
                                std::to_string(kept + added) + " @@\n" + body);
    CHECK(apply_hunks(before, hunks).text == after);
    // The same lines further down, in a text that has them once.
    CHECK(apply_hunks("X\nY\n" + before, hunks).text == "X\nY\n" + after);
    // Nothing but its own place is edited: in two places none is.
    if (kept + added != old_lines.size() || added > 0)
      CHECK_FALSE(apply_hunks("X\n" + before + "X\n" + before, hunks).rejected.empty());
  }
}

}  // namespace
}  // namespace fathom::tools
