#include "tools/edit/file_view.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>

using namespace fathom;
using namespace fathom::tools;

namespace {

Result<FileView::Shown> view(std::string_view file, LineRange range = {}, std::size_t piece = 7) {
  FileView view(range);
  while (!file.empty()) {
    const std::size_t size = std::min(piece, file.size());
    if (!view.feed(file.substr(0, size))) break;
    file.remove_prefix(size);
  }
  return view.finish();
}

}  // namespace

TEST_CASE("a file is shown with its line numbers", "[tools]") {
  const auto shown = view("one\ntwo\n\nfour").value();
  CHECK(shown.text == "     1\tone\n     2\ttwo\n     3\t\n     4\tfour\n");
  CHECK(shown.lines == 4);
  CHECK(shown.open_end);
  CHECK_FALSE(shown.crlf);
}

TEST_CASE("a range shows its lines and counts the others", "[tools]") {
  const auto shown = view("a\nb\nc\nd\ne\n", {2, 3}).value();
  CHECK(shown.text == "     2\tb\n     3\tc\n");
  CHECK(shown.first == 2);
  CHECK(shown.last == 3);
  CHECK(shown.lines == 5);
}

TEST_CASE("a range behind the file is refused with its length", "[tools]") {
  CHECK(view("a\nb\n", {3, {}}).error().message == "view_range begins at line 3, the file has 2");
  CHECK(view("a\nb\n", {2, 900}).value().last == 2);
}

TEST_CASE("an empty file has no lines to show", "[tools]") {
  const auto shown = view("").value();
  CHECK(shown.lines == 0);
  CHECK(shown.text.empty());
  CHECK(shown.first == 0);
  CHECK(view(kByteOrderMark).value().text == "     1\t\n");
}

TEST_CASE("the mark, carriage returns and broken bytes do not reach the model", "[tools]") {
  const auto shown = view(
                         "\xEF\xBB\xBF"
                         "a\r\nb\xFF\r\n")
                         .value();
  CHECK(shown.text == "     1\ta\n     2\tb\\xff\n");
  CHECK(shown.crlf);
  CHECK(shown.escaped == 1);
}

TEST_CASE("a file of zero bytes is no text", "[tools]") {
  CHECK(view(std::string_view("ab\0cd", 5)).error().code == ErrorCode::bad_data);
}

TEST_CASE("a view ends with a whole line when it is full", "[tools]") {
  std::string file;
  for (int i = 0; i < 9'000; ++i) file += "line " + std::to_string(i) + "\n";
  const auto shown = view(file, {}, 4096).value();
  CHECK(shown.text.size() <= kViewBytesMax);
  CHECK(shown.text.size() > kViewBytesMax - 40);
  CHECK(shown.lines == 9'000);
  CHECK(static_cast<std::size_t>(std::ranges::count(shown.text, '\n')) == shown.last);
}

TEST_CASE("a line of megabytes is cut and counted", "[tools]") {
  const auto shown = view(std::string(3'000'000, 'x') + "\nend\n", {}, 65'536).value();
  CHECK(shown.text == "     1\t" + std::string(kShownLineBytesMax, 'x') + " … [" +
                          std::to_string(3'000'000 - kShownLineBytesMax) +
                          " bytes more]\n     2\tend\n");
}

TEST_CASE("however a file is cut into pieces, the view is the same", "[tools]") {
  std::mt19937 random(11);
  for (int round = 0; round < 5'000; ++round) {
    std::string file;
    for (std::size_t size = random() % 40; size > 0; --size) file += "ab\n\r\xC3\xA9"[random() % 6];
    LineRange range{1 + random() % 4, {}};
    if (random() % 2 == 0) range.last = range.first + random() % 4;
    const auto whole = view(file, range, 1000);
    const auto cut = view(file, range, 1 + random() % 5);
    REQUIRE(whole.has_value() == cut.has_value());
    if (!whole) continue;
    REQUIRE(whole->text == cut->text);
    REQUIRE(whole->lines == count_lines(file));
    REQUIRE(cut->lines == whole->lines);
    REQUIRE(cut->crlf == whole->crlf);
    REQUIRE(cut->last == whole->last);
  }
}
