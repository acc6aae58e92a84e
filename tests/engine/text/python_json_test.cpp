#include "engine/text/python_json.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::engine;

namespace {

std::string again(std::string_view text) {
  return to_python_json(parse_json(text, JsonDialect::python).value());
}

}  // namespace

// Every expected text was printed by Python 3.11's json.dumps(json.loads(text),
// ensure_ascii=False).
TEST_CASE("values are printed as Python prints them", "[text]") {
  CHECK(again(R"({"b":1,"a":[true,false,null],"é":"ü\u0001\u001f\u007f/"})") ==
        "{\"b\": 1, \"a\": [true, false, null], \"é\": \"ü\\u0001\\u001f\x7f/\"}");
  CHECK(again(R"(["\n\r\t\b\f\"\\\u2028"])") == "[\"\\n\\r\\t\\b\\f\\\"\\\\\u2028\"]");
  CHECK(again("{}") == "{}");
  CHECK(again("[]") == "[]");
}

TEST_CASE("numbers are printed as Python prints them", "[text]") {
  const std::pair<const char*, const char*> cases[] = {
      {"0", "0"},
      {"-0", "0"},
      {"-0.0", "-0.0"},
      {"1.0", "1.0"},
      {"1.50", "1.5"},
      {"1e30", "1e+30"},
      {"1E5", "100000.0"},
      {"1e15", "1000000000000000.0"},
      {"1e16", "1e+16"},
      {"123456789012345.678", "123456789012345.67"},
      {"1e-4", "0.0001"},
      {"1e-5", "1e-05"},
      {"1e-7", "1e-07"},
      {"1.5e-10", "1.5e-10"},
      {"1e100", "1e+100"},
      {"0.1", "0.1"},
      {"1.7976931348623157e308", "1.7976931348623157e+308"},
      {"5e-324", "5e-324"},
      {"1e400", "Infinity"},
      {"-1e400", "-Infinity"},
      {"1e-400", "0.0"},
      {"-1e-400", "-0.0"},
      {"NaN", "NaN"},
      {"-Infinity", "-Infinity"},
      {"2.5e3", "2500.0"},
      {"9007199254740993.0", "9007199254740992.0"},
      {"123456789012345678901234567890", "123456789012345678901234567890"}};
  for (const auto& [spelled, printed] : cases) CHECK(again(spelled) == printed);
}

TEST_CASE("a lone surrogate turns the whole value to ASCII", "[text]") {
  CHECK(again(R"({"é": "\ud83d", "k": "😀\u007f"})") ==
        R"({"\u00e9": "\ud83d", "k": "\ud83d\ude00\u007f"})");
}
