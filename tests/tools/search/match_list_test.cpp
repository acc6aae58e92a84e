#include "tools/search/match_list.hpp"

#include "runtime/base/text.hpp"
#include "tests/support/catch.hpp"

#include <random>

using namespace fathom;
using namespace fathom::tools;

namespace {

std::string line(std::string_view path, int number, std::string_view text) {
  return std::string(path) + '\0' + std::to_string(number) + ":" + std::string(text) + "\n";
}

}  // namespace

TEST_CASE("matches come in the order of paths and lines, however they were printed", "[tools]") {
  const std::string printed =
      line("./b.c", 9, "nine") + line("a:1.c", 10, "x:y") + line("./b.c", 2, "two\r");
  const MatchList list = parse_matches(printed);
  CHECK(list.matches ==
        std::vector<Match>{{"a:1.c", 10, "x:y"}, {"b.c", 2, "two"}, {"b.c", 9, "nine"}});
  CHECK(list.files == 2);
  CHECK(show_matches(list, 100) == "a:1.c\n10:x:y\nb.c\n2:two\n9:nine\n");
  CHECK(show_matches(list, 2) == "a:1.c\n10:x:y\nb.c\n2:two\n");
}

TEST_CASE("git grep's second NUL is read as the others' colon", "[tools]") {
  const std::string printed(
      "a.c\0"
      "3\0"
      "text\n",
      11);
  CHECK(parse_matches(printed).matches == std::vector<Match>{{"a.c", 3, "text"}});
}

TEST_CASE("what is no match is counted and skipped", "[tools]") {
  const std::string printed =
      "Binary file x matches\n" + line("a", 1, "ok") + std::string("p\0word:x\n", 9) + "cut";
  const MatchList list = parse_matches(printed);
  CHECK(list.matches == std::vector<Match>{{"a", 1, "ok"}});
  CHECK(list.unreadable == 3);
}

TEST_CASE("a long or hostile line is shown short and valid", "[tools]") {
  const MatchList list = parse_matches(line("a\nb\x1b", 1, std::string(1000, 'x') + "\xff"));
  const std::string shown = show_matches(list, 10);
  CHECK(find_invalid_utf8(shown) == std::string::npos);
  CHECK(shown.size() < 500);
}

TEST_CASE("any bytes at all give a list", "[tools]") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2'000; ++round) {
    std::string printed(random() % 64, '\0');
    constexpr std::string_view kAlphabet("a:\n\0001\xff./", 9);
    for (char& c : printed) c = kAlphabet[random() % kAlphabet.size()];
    const MatchList list = parse_matches(printed);
    CHECK(find_invalid_utf8(show_matches(list, 100)) == std::string::npos);
    CHECK(list.files <= list.matches.size());
  }
}
