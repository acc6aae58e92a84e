#include "tools/reports/report_text.hpp"

#include "tests/support/catch.hpp"

namespace fathom::tools {
namespace {

TEST_CASE("the place of a failure is found in the words of every runner", "[tools]") {
  struct Row {
    std::string text;
    Location place;
  };
  const std::vector<Row> rows = {
      {"src/a.cpp:12: Failure", {"src/a.cpp", 12}},
      {"src/a.cpp(12): error", {"src/a.cpp", 12}},
      {"thread 'x' panicked at src/lib.rs:8:45:", {"src/lib.rs", 8}},
      {"    at Object.<anonymous> (/repo/sum.test.js:9:21)", {"/repo/sum.test.js", 9}},
      {"at file:///repo/a.mjs:4:1", {"/repo/a.mjs", 4}},
      {"\tat com.example.A.b(A.java:42)", {"A.java", 42}},
      {"\tat org.junit.Assert.fail(Assert.java:89)\n\tat x.A.b(A.java:42)", {"A.java", 42}},
      {"  at t/a.t line 3.", {"t/a.t", 3}},
      {"  File \"/repo/a.py\", line 6, in f\n  File \"/repo/b.py\", line 7, in g\nValueError",
       {"/repo/b.py", 7}},
      {"  File \"/repo/a.py\", line 6, in f\n  File \"/usr/lib/python3/x.py\", line 7, in g",
       {"/repo/a.py", 6}},
      {"at Test.run (node:internal/test:796:25)\nat f (b.js:2:1)", {"b.js", 2}},
      {"started at 12:30:45 on 10.0.0.1:8080", {}},
      {"version 1.2:3", {}},
      {"a.cpp:0: nothing", {}},
      {"a.cpp:99999999999999999999", {}},
      {"https://example.com:8080/x", {}},
      {"", {}},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    CHECK(find_location(row.text) == row.place);
  }
}

TEST_CASE("text of a report has no escapes, controls or broken characters left", "[tools]") {
  CHECK(clean_text("\033[31mred\033[0m \033]0;title\007x\001\r\n\xffy\n\n", 100) ==
        "red x\n\uFFFDy");
  CHECK(clean_line(" a\tb\nc ", 100) == "a b c");
  CHECK(clean_line("\u00e9\u00e9\u00e9", 3) == "\u00e9");
  CHECK(clean_text("\033", 10).empty());
  CHECK(clean_text("\033[1;2", 10).empty());
}

TEST_CASE("lines are the same whatever pieces they come in", "[tools]") {
  const std::string text = "one\r\n\ntwo\nlast";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    std::vector<std::string> lines;
    LineReader reader;
    const auto take = [&](std::string_view line) { lines.emplace_back(line); };
    for (std::size_t at = 0; at < text.size(); at += size) reader.feed(text.substr(at, size), take);
    reader.finish(take);
    CHECK(lines == std::vector<std::string>{"one", "", "two", "last"});
  }
}

TEST_CASE("a line of any length is cut and not gathered", "[tools]") {
  LineReader reader;
  std::vector<std::size_t> sizes;
  const auto take = [&](std::string_view line) { sizes.push_back(line.size()); };
  for (int i = 0; i < 40; ++i) reader.feed(std::string(100'000, 'x'), take);
  reader.feed("\nshort\n", take);
  CHECK(sizes == std::vector<std::size_t>{kReportLineBytesMax, 5});
}

TEST_CASE("seconds are read with separators and never absurd", "[tools]") {
  CHECK(seconds_of("1,234.5") == 1234.5);
  CHECK(seconds_of(" 0.01 ") == 0.01);
  for (const char* text : {"", "x", "-1", "nan", "inf", "1e300"}) CHECK(seconds_of(text) == 0);
}

}  // namespace
}  // namespace fathom::tools
