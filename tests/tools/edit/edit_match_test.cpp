#include "tools/edit/edit_match.hpp"

#include "tests/support/catch.hpp"

#include <random>
#include <string>
#include <vector>

using namespace fathom;
using namespace fathom::tools;

namespace {

// The same meaning written down as slowly as possible: both texts as symbols, where a line end is
// one symbol, compared at every place.
struct Symbols {
  std::vector<int> values;
  std::vector<std::size_t> begins;  ///< one more than values
};

constexpr int kLineEnd = 1000;

Symbols symbols_of(const std::string& text) {
  Symbols symbols;
  for (std::size_t i = 0; i < text.size(); ++i) {
    symbols.begins.push_back(i);
    const bool pair = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    symbols.values.push_back(pair || text[i] == '\n' ? kLineEnd
                                                     : static_cast<unsigned char>(text[i]));
    if (pair) ++i;
  }
  symbols.begins.push_back(text.size());
  return symbols;
}

struct Found {
  std::size_t begin = 0;
  std::size_t end = 0;
};

std::vector<Found> naive_matches(const std::string& file, const std::string& old_text) {
  const Symbols in = symbols_of(file);
  const Symbols wanted = symbols_of(old_text);
  std::vector<Found> found;
  for (std::size_t at = 0; at + wanted.values.size() <= in.values.size(); ++at) {
    bool same = true;
    for (std::size_t i = 0; i < wanted.values.size(); ++i)
      same = same && in.values[at + i] == wanted.values[i];
    if (same) found.push_back({in.begins[at], in.begins[at + wanted.values.size()]});
  }
  return found;
}

std::string random_text(std::mt19937& random, std::size_t size_max) {
  static const std::vector<std::string> kPieces = {
      "a", "a", "b", "ab", "\n", "\n", "\r\n", "\r\n", " ", "\xFF", "\t", "\xC3\xA9", "\xC3"};
  std::string text;
  for (std::size_t pieces = random() % size_max; pieces > 0; --pieces)
    text += kPieces[random() % kPieces.size()];
  return text;
}

std::string without_returns(std::string text) {
  std::erase(text, '\r');
  return text;
}

}  // namespace

TEST_CASE("the text is replaced where it is and nowhere else", "[tools]") {
  CHECK(plan_replace("int a;\nint b;\n", "b", "c").value() == Splice{11, 1, "c"});
  CHECK(plan_replace("x", "x", "").value() == Splice{0, 1, ""});
}

TEST_CASE("a text in several places is refused with their lines", "[tools]") {
  CHECK(plan_replace("a\nb\na\n", "a", "c").error().message ==
        "old_str is in 2 places (lines 1, 3): add lines around it until it is in one");
  CHECK(plan_replace("aaa", "aa", "c").error().message.starts_with("old_str is in 2 places"));
  std::string many;
  for (int i = 0; i < 1500; ++i) many += "a\n";
  CHECK(plan_replace(many, "a", "c").error().message ==
        "old_str is in more than 1000 places (lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …): add lines "
        "around it until it is in one");
}

TEST_CASE("two places that differ in their line ends only are two places", "[tools]") {
  CHECK(plan_replace("a\nb\n\r\na\r\nb\r\n", "a\nb", "c")
            .error()
            .message.starts_with("old_str is in 2 places (lines 1, 4)"));
}

TEST_CASE("line feeds match a file of CRLF, and what is new takes its line ends", "[tools]") {
  const std::string file = "one\r\ntwo\r\nthree\r\n";
  const Splice splice = plan_replace(file, "one\ntwo\n", "1\n2\n3\n").value();
  CHECK(spliced(file, splice) == "1\r\n2\r\n3\r\nthree\r\n");
  CHECK(spliced(file, plan_replace(file, "\ntwo", "").value()) == "one\r\nthree\r\n");
  const std::string plain = "one\ntwo\n";
  CHECK(spliced(plain, plan_replace(plain, "one\r\ntwo", "1\r\n2").value()) == "1\n2\n");
}

TEST_CASE("a mark, an open last line and broken bytes stay as they are", "[tools]") {
  const std::string file =
      "\xEF\xBB\xBF"
      "a\xFF\r\nb \xC3\nlast";
  const Splice splice = plan_replace(file, "b", "B").value();
  CHECK(spliced(file, splice) ==
        "\xEF\xBB\xBF"
        "a\xFF\r\nB \xC3\nlast");
}

TEST_CASE("an edit that would change nothing is refused", "[tools]") {
  CHECK(plan_replace("a", "a", "a").error().code == ErrorCode::usage);
  CHECK(plan_replace("a\r\nb\r\n", "a\nb", "a\nb").error().code == ErrorCode::usage);
  CHECK(plan_replace("a", "", "b").error().message ==
        "old_str is empty: use insert, or create for a new file");
}

TEST_CASE("an edit never touches anything but the unique match", "[tools]") {
  std::mt19937 random(20);
  int replaced = 0;
  int ambiguous = 0;
  int absent = 0;
  for (int round = 0; round < 60'000; ++round) {
    const std::string file = random_text(random, 24);
    std::string old_text = random_text(random, 5);
    if (random() % 3 == 0 && !file.empty()) {
      const std::size_t at = random() % file.size();
      old_text = file.substr(at, 1 + random() % 6);
      if (random() % 2 == 0) old_text = without_returns(old_text);
    }
    if (old_text.empty() || old_text.ends_with('\r')) continue;  // half a line end: see below
    const std::string new_text = random_text(random, 4) + "N";
    INFO("file " << Catch::StringMaker<std::string>::convert(file) << " old " << old_text);
    const std::vector<Found> expected = naive_matches(file, old_text);
    const auto splice = plan_replace(file, old_text, new_text);
    if (expected.size() != 1) {
      // Only text with a line end in two halves is found though it is no sequence of symbols.
      const bool literal = expected.empty() && file.contains(old_text);
      if (literal) continue;
      REQUIRE_FALSE(splice);
      REQUIRE(splice.error().code == (expected.empty() ? ErrorCode::not_found : ErrorCode::usage));
      (expected.empty() ? absent : ambiguous)++;
      continue;
    }
    REQUIRE(splice);
    REQUIRE(splice->offset == expected[0].begin);
    REQUIRE(splice->offset + splice->length == expected[0].end);
    const std::string after = spliced(file, *splice);
    REQUIRE(after.starts_with(file.substr(0, expected[0].begin)));
    REQUIRE(after.ends_with(file.substr(expected[0].end)));
    REQUIRE(without_returns(splice->text) == without_returns(new_text));
    ++replaced;
  }
  CHECK(replaced > 5'000);
  CHECK(ambiguous > 5'000);
  CHECK(absent > 5'000);
}

TEST_CASE("an edit and its inverse leave every byte as it was", "[tools]") {
  std::mt19937 random(21);
  int edits = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string file = random_text(random, 40);
    if (file.empty()) continue;
    const std::size_t at = random() % file.size();
    const auto splice =
        random() % 2 == 0
            ? plan_replace(file, file.substr(at, 1 + random() % 12), random_text(random, 6))
            : plan_insert(file, static_cast<std::int64_t>(random() % 6), random_text(random, 6));
    if (!splice) continue;
    const std::string after = spliced(file, *splice);
    const Splice inverse{splice->offset, splice->text.size(),
                         file.substr(splice->offset, splice->length)};
    REQUIRE(spliced(after, inverse) == file);
    ++edits;
  }
  CHECK(edits > 5'000);
}

TEST_CASE("half a line end is found literally", "[tools]") {
  CHECK(plan_replace("a\r\nb", "a\r", "x\r").value() == Splice{0, 2, "x\r"});
}

TEST_CASE("whole lines are inserted behind a line", "[tools]") {
  const auto inserted = [](std::string file, std::int64_t line, std::string text) {
    return spliced(file, plan_insert(file, line, text).value());
  };
  CHECK(inserted("a\nb\n", 0, "x") == "x\na\nb\n");
  CHECK(inserted("a\nb\n", 1, "x\n") == "a\nx\nb\n");
  CHECK(inserted("a\nb\n", 2, "x") == "a\nb\nx\n");
  CHECK(inserted("", 0, "x") == "x");
  CHECK(inserted("a\r\nb\r\n", 1, "x\ny") == "a\r\nx\r\ny\r\nb\r\n");
}

TEST_CASE("a last line without an end has none after an insertion either", "[tools]") {
  const std::string file = "a\nb";
  CHECK(spliced(file, plan_insert(file, 2, "x\n").value()) == "a\nb\nx");
  CHECK(spliced(file, plan_insert(file, 2, "x").value()) == "a\nb\nx");
  const std::string crlf = "a\r\nb";
  CHECK(spliced(crlf, plan_insert(crlf, 2, "x\n").value()) == "a\r\nb\r\nx");
}

TEST_CASE("the top of a file is behind its byte order mark", "[tools]") {
  const std::string file = std::string(kByteOrderMark) + "a\n";
  CHECK(spliced(file, plan_insert(file, 0, "x").value()) == std::string(kByteOrderMark) + "x\na\n");
}

TEST_CASE("a line that is not there is refused with those that are", "[tools]") {
  CHECK(plan_insert("a\nb\n", 3, "x").error().message ==
        "insert_line 3 is no line to insert behind: send 0 to 2");
  CHECK_FALSE(plan_insert("a\n", -1, "x"));
  CHECK_FALSE(plan_insert("a\n", 0, ""));
}
