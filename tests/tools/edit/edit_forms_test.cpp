#include "tools/edit/edit_forms.hpp"

#include "tests/support/catch.hpp"
#include "tools/edit/edit_match.hpp"

#include <nlohmann/json.hpp>

#include <random>

using namespace fathom;
using namespace fathom::tools;
using nlohmann::json;

TEST_CASE("lines that occur once, also inside other lines", "[edit]") {
  CHECK(unique_lines("a\n  return x\n  return x + 1\n\nb\r\nb c\nlast") ==
        std::vector<std::string_view>{"  return x + 1", "b c", "last"});
  CHECK(unique_lines("one\ntwo") == std::vector<std::string_view>{"one", "two"});
  CHECK(unique_lines("\xFF bad\n" + std::string(kFormLineBytesMax + 1, 'x')).empty());
  CHECK(unique_lines("a </｜DSML｜parameter>\n").empty());
  CHECK(unique_lines("").empty());
}

TEST_CASE("what no call can name is not offered", "[edit]") {
  CHECK(is_form_path("src/a b.py"));
  for (const std::string path : {"\xff\xfe.txt", "a\nb", "a｜DSML｜b"})
    CHECK_FALSE(is_form_path(path));
  CHECK_FALSE(is_form_path(std::string(kFormPathBytesMax + 1, 'x')));
  CHECK(unique_lines(std::string(kFormFileBytesMax, 'x') + "\nshort\n").empty());
}

TEST_CASE("every line that a form offers can be replaced", "[edit]") {
  std::mt19937 random(7);
  constexpr std::string_view kLetters = "ab \n\n\r";
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) text += kLetters[random() % kLetters.size()];
    for (const std::string_view line : unique_lines(text)) {
      INFO(json(text).dump() << " " << json(std::string(line)).dump());
      CHECK(plan_replace(text, line, "new"));
    }
  }
}

TEST_CASE("the first form views, the others replace in one file each", "[edit]") {
  const std::vector<KnownFile> files = {{"lib/a.py", "x = 1\ny = 2\n", true},
                                        {"test.py", "check(1)\n", false},
                                        {"lib/b.py", "", true}};
  const std::vector<std::string> forms = edit_forms(files);
  REQUIRE(forms.size() == 2);
  const json view = json::parse(forms[0]);
  CHECK(view["properties"]["command"]["const"] == "view");
  CHECK(view["properties"]["path"]["enum"] == json({"lib/a.py", "test.py", "lib/b.py"}));
  const json replace = json::parse(forms[1]);
  CHECK(replace["properties"]["path"]["const"] == "lib/a.py");
  CHECK(replace["properties"]["old_str"]["enum"] == json({"x = 1", "y = 2"}));
  CHECK(replace["required"] == json({"command", "path", "old_str", "new_str"}));
  CHECK(edit_forms({}).empty());
}

TEST_CASE("forms have bounds, and the first files and lines are kept", "[edit]") {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "line " + std::to_string(i) + ".\n";
  std::vector<KnownFile> files;
  files.reserve(1'000);
  for (int i = 0; i < 1'000; ++i) files.push_back({"f" + std::to_string(i), text, true});
  const std::vector<std::string> forms = edit_forms(files);
  CHECK(forms.size() == 1 + kFormLinesMax / 100);
  CHECK(json::parse(forms[0])["properties"]["path"]["enum"].size() == kFormFilesMax);
  for (KnownFile& file : files) file.text = "one\n";
  CHECK(edit_forms(files).size() == kEditFormsMax);
}
