#include "tests/tidy/shape.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::tidy;

namespace {

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "x;\n";
  return text;
}

}  // namespace

TEST_CASE("columns are code points, not bytes", "[tests]") {
  std::string wide = "// ";
  for (int i = 0; i < 97; ++i) wide += "→";
  CHECK(check_columns({"a/x.cpp", "\n" + wide + "\n"}).empty());
  CHECK(check_columns({"a/x.cpp", "\n" + wide + "→\n"}) ==
        Findings{{"a/x.cpp", 2,
                  "101 columns are more than 100: run clang-format, and break what it cannot"}});
}

TEST_CASE("a file of 800 lines is the longest", "[tests]") {
  CHECK(check_file_length({"a/x.cpp", lines(800)}).empty());
  CHECK(check_file_length({"a/x.cpp", lines(801)}) ==
        Findings{
            {"a/x.cpp", 801, "801 lines are more than 800: split the file by what its parts are"}});
}

TEST_CASE("a function of 70 lines is the longest, a test case has 150", "[tests]") {
  const auto check = [](std::string path, const std::string& head, int body) {
    return check_functions({std::move(path), "\n" + head + " {\n" + lines(body) + "}\n"});
  };
  CHECK(check("a/x.cpp", "void f()", 68).empty());
  CHECK(check("a/x.cpp", "void f()", 69) ==
        Findings{
            {"a/x.cpp", 2, "f has 71 lines, more than 70: name a part of it and move that out"}});
  CHECK(check("tests/x_test.cpp", "TEST_CASE(\"a\", \"[b]\")", 148).empty());
  CHECK(check("tests/x_test.cpp", "TEST_CASE(\"a\", \"[b]\")", 149).size() == 1);
  CHECK(check("tests/x_test.cpp", "void f()", 69).size() == 1);
}

TEST_CASE("a header guards itself and opens no namespace", "[tests]") {
  CHECK(check_header({"a/x.hpp", "// What.\n#pragma once\n// using namespace std;\n"}).empty());
  CHECK(check_header({"a/x.cpp", "using namespace std;"}).empty());
  CHECK(check_header({"a/x.hpp", "#ifndef X\n#endif\n"}) ==
        Findings{{"a/x.hpp", 1, "a header needs `#pragma once` below its first comment"}});
  CHECK(check_header({"a/x.hpp", "#pragma once\nusing namespace std;\n"}).front().line == 2);
}
