#include "tools/edit/near_miss.hpp"

#include "runtime/base/text.hpp"
#include "tests/support/catch.hpp"

#include <random>

using namespace fathom;
using namespace fathom::tools;

namespace {

const std::string kFile =
    "#include <a>\n"          // 1
    "\n"                      // 2
    "int main() {\n"          // 3
    "\tint x = 1;\n"          // 4
    "    return x;  \n"       // 5
    "}\n"                     // 6
    "auto s = \"it's\";\n"    // 7
    "say(\"two\\nlines\");";  // 8

std::string why(std::string_view old_text, std::string_view new_text = "") {
  return explain_miss(kFile, old_text, new_text);
}

}  // namespace

TEST_CASE("indentation that differs is named with what the file has", "[tools]") {
  CHECK(why("    int x = 1;\n    return x;") ==
        "old_str is not in the file; line 4 is nearest and differs in indentation: 1 tab in the "
        "file, 4 spaces in old_str");
  CHECK(why("int main() {\n\tint x = 1;\n  return x;  \n}") ==
        "old_str is not in the file; line 5 is nearest and differs in indentation: 4 spaces in the "
        "file, 2 spaces in old_str");
}

TEST_CASE("trailing space is named on the side that has it", "[tools]") {
  CHECK(why("    return x;\n}") ==
        "old_str is not in the file; line 5 is nearest and differs in trailing space: the file has "
        "some that old_str has not");
  CHECK(why("int main() { \n\tint x") ==
        "old_str is not in the file; line 3 is nearest and differs in trailing space: old_str has "
        "some that the file has not");
}

TEST_CASE("typographic quotes are shown beside the plain ones", "[tools]") {
  CHECK(why("auto s = \u201cit\u2019s\u201d;") ==
        "old_str is not in the file; line 7 is nearest and differs in quotes, dashes or special "
        "spaces: `auto s = \"it's\";` in the file, `auto s = \u201cit\u2019s\u201d;` in old_str");
}

TEST_CASE("space inside a line is shown", "[tools]") {
  CHECK(why("int x=1;") ==
        "old_str is not in the file; line 4 is nearest and differs in the space inside: `int x = "
        "1;` in the file, `int x=1;` in old_str");
}

TEST_CASE("line numbers of a view are recognized", "[tools]") {
  CHECK(why("     4\t\tint x = 1;\n     5\t    return x;  ") ==
        "old_str is not in the file: its lines begin with the numbers that view adds, leave out "
        "number and tab");
}

TEST_CASE("escapes sent as two characters are recognized", "[tools]") {
  CHECK(why("int main() {\\n\\tint x = 1;") ==
        "old_str is not in the file: it holds escapes such as \\n or \\\" as two characters, send "
        "the characters that they stand for");
}

TEST_CASE("a line break that the last line has not is named", "[tools]") {
  CHECK(why("say(\"two\\nlines\");\n") ==
        "old_str is not in the file: it is there without the space or line break at its end");
}

TEST_CASE("of a text that is not there the line with most in common is shown", "[tools]") {
  CHECK(
      why("int main() {\n\tint x = 2;\n    return x;  \n}") ==
      "old_str is not in the file; line 4 is nearest and differs in more than space: `int x = 1;` "
      "in the file, `int x = 2;` in old_str");
  CHECK(
      why("int y = 1;") ==
      "old_str is not in the file; line 4 is nearest and differs in more than space: `int x = 1;` "
      "in the file, `int y = 1;` in old_str");
  CHECK(why("completely foreign words") ==
        "old_str is not in the file, nor anything like it: view the file again");
  CHECK(explain_miss("", "a", "") == "old_str is not in the file, which is empty");
  CHECK(why(" \n") == "old_str is not in the file: it is blank, name a line with text");
}

TEST_CASE("a text that runs past the end of the file is told so", "[tools]") {
  CHECK(why("auto s = \"it's\";\nsay(\"two\\nlines\");\nmore();\n") ==
        "old_str is not in the file: the file ends where old_str goes on with `more();`");
}

TEST_CASE("an edit that was made before is recognized", "[tools]") {
  CHECK(
      why("int x = 0;", "int x = 1;")
          .ends_with("; new_str is there already, at line 4: the edit may have been made before"));
}

TEST_CASE("whatever is asked, the answer is one short line of valid text", "[tools]") {
  std::mt19937 random(5);
  const std::vector<std::string> pieces = {"int", " ",        "\t",   "\n",   "\r\n",
                                           "\\n", "\"",       "x;",   "\xFF", "\u2019",
                                           "}",   "    12\t", "\x1b", "same", "\\"};
  const auto text = [&](std::size_t most) {
    std::string out;
    for (std::size_t count = 1 + random() % most; count > 0; --count)
      out += pieces[random() % pieces.size()];
    return out;
  };
  for (int round = 0; round < 20'000; ++round) {
    const std::string answer = explain_miss(text(30), text(10), text(5));
    REQUIRE(answer.starts_with("old_str is not in the file"));
    REQUIRE(answer.size() < 700);
    REQUIRE(find_invalid_utf8(answer) == std::string::npos);
    REQUIRE(answer.find_first_of("\r\n\x1b") == std::string::npos);
  }
}
