#include "tools/edit/diff.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>
#include <vector>

using namespace fathom::tools;

namespace {

std::string numbers(int first, int last) {
  std::string text;
  for (int i = first; i <= last; ++i) text += std::to_string(i) + "\n";
  return text;
}

std::size_t longest_common(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1, 0);
  for (const char x : a) {
    std::size_t corner = 0;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = x == b[j - 1] ? corner + 1 : std::max(row[j], row[j - 1]);
      corner = above;
    }
  }
  return row.back();
}

std::string as_lines(const std::string& letters) {
  std::string text;
  for (const char c : letters) text.append(1, c).append(1, '\n');
  return text;
}

// The letters of the lines with one of `signs`.
std::string letters_of(const std::string& diff, std::string_view signs) {
  std::string letters;
  for (std::size_t at = 0; at < diff.size(); at = diff.find('\n', at) + 1)
    if (signs.contains(diff[at]) && diff[at + 1] != '@') letters += diff[at + 1];
  return letters;
}

}  // namespace

TEST_CASE("a changed line is shown between its neighbours", "[tools]") {
  CHECK(line_diff("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nX\ne\nf\n") ==
        "@@ -2,5 +2,5 @@\n b\n c\n-d\n+X\n e\n f\n");
}

TEST_CASE("changes far apart stand in hunks of their own", "[tools]") {
  std::string after = numbers(1, 20);
  after.replace(after.find("3\n"), 1, "three");
  after.erase(after.find("18\n"), 3);
  CHECK(line_diff(numbers(1, 20), after) ==
        "@@ -1,5 +1,5 @@\n 1\n 2\n-3\n+three\n 4\n 5\n"
        "@@ -16,5 +16,4 @@\n 16\n 17\n-18\n 19\n 20\n");
}

TEST_CASE("equal texts have no difference, empty ones a whole one", "[tools]") {
  CHECK(line_diff("a\n", "a\n").empty());
  CHECK(line_diff("", "a\n") == "@@ -0,0 +1,1 @@\n+a\n");
  CHECK(line_diff("a\n", "") == "@@ -1,1 +0,0 @@\n-a\n");
}

TEST_CASE("a difference is as short as it can be and tells both sides", "[tools]") {
  std::mt19937 random(3);
  for (int round = 0; round < 5'000; ++round) {
    const auto letters = [&] {
      std::string text;
      for (std::size_t size = random() % 12; size > 0; --size)
        text += static_cast<char>('a' + random() % 4);
      return text;
    };
    const std::string before = letters();
    const std::string after = letters();
    const std::string diff = line_diff(as_lines(before), as_lines(after));
    INFO(before << " to " << after << ":\n" << diff);
    const std::size_t common = longest_common(before, after);
    REQUIRE(letters_of(diff, "-").size() == before.size() - common);
    REQUIRE(letters_of(diff, "+").size() == after.size() - common);
    // With few equal lines at the ends and in between, the whole of both sides is visible.
    if (diff.find("@@ -1,") == 0 && letters_of(diff, " -").size() == before.size()) {
      REQUIRE(letters_of(diff, " -") == before);
      REQUIRE(letters_of(diff, " +") == after);
    }
  }
}

TEST_CASE("a large difference is cut and counted", "[tools]") {
  const std::string diff = line_diff(numbers(1, 2000), numbers(5000, 7000));
  CHECK(std::ranges::count(diff, '\n') == static_cast<long>(kDiffLinesMax) + 2);
  CHECK(diff.ends_with("… 3941 more lines\n"));
}
