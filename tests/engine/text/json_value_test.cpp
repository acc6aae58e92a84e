#include "engine/text/json_value.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::engine;
using Kind = JsonValue::Kind;

namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_json(text);
  return parsed ? "" : parsed.error().message;
}

}  // namespace

TEST_CASE("a value keeps the order of keys and the spelling of numbers", "[text]") {
  const JsonValue value =
      parse_json(R"( {"z": [1.0, -0, 1E5, 123456789012345678901234567890], "a": {"k": null}} )")
          .value();
  CHECK(value.keys == std::vector<std::string>{"z", "a"});
  std::vector<std::string> numbers;
  for (const JsonValue& number : value.find("z")->items) numbers.push_back(number.text);
  CHECK(numbers == std::vector<std::string>{"1.0", "-0", "1E5", "123456789012345678901234567890"});
  CHECK(value.find("a")->find("k")->is(Kind::null));
  CHECK(value.find("none") == nullptr);
}

TEST_CASE("of a key that stands twice the last value counts at the first place", "[text]") {
  const JsonValue small = parse_json(R"({"a": 1, "b": 2, "a": 3})").value();
  CHECK(small == parse_json(R"({"a": 3, "b": 2})").value());
  std::string many = "{";
  std::string once = "{";
  for (int i = 0; i < 100; ++i)
    many += "\"k" + std::to_string(i % 40) + "\":" + std::to_string(i) + ",";
  for (int i = 0; i < 40; ++i)
    once += "\"k" + std::to_string(i) + "\":" + std::to_string(i < 20 ? i + 80 : i + 40) + ",";
  many.back() = once.back() = '}';
  CHECK(parse_json(many).value() == parse_json(once).value());
}

TEST_CASE("strings are unescaped, lone surrogates kept as their three bytes", "[text]") {
  CHECK(parse_json(R"("a\n\"\\\/\u00e9\ud83d\ude00")").value().text == "a\n\"\\/é😀");
  CHECK(parse_json(R"("\ud83dx\ude00")").value().text == "\xED\xA0\xBDx\xED\xB8\x80");
  CHECK(parse_json(R"("\ud83d\ud83d\ude00")").value().text == "\xED\xA0\xBD😀");
}

TEST_CASE("what is not JSON is refused with its place", "[text]") {
  CHECK(error_of("") == "byte 0: the text ends where a value should stand");
  CHECK(error_of("[1,") == "byte 3: the text ends where a value should stand");
  CHECK(error_of("[1 2]") == "byte 3: expected ',' or ']'");
  CHECK(error_of("{1:2}") == "byte 1: expected a key in quotes");
  CHECK(error_of(R"({"a" 1})") == "byte 5: expected ':'");
  CHECK(error_of(R"({"a":1,})") == "byte 7: expected a key in quotes");
  CHECK(error_of(R"("abc)") == "byte 4: the text ends inside a string");
  CHECK(error_of("\"a\nb\"") == "byte 2: a control character inside a string");
  CHECK(error_of(R"("\x")") == "byte 1: unknown escape in a string");
  CHECK(error_of(R"("\u12")") == "byte 1: \\u needs four hexadecimal digits");
  CHECK(error_of("01") == "byte 1: text behind the value");
  CHECK(error_of("1.") == "byte 1: text behind the value");
  CHECK(error_of("tru") == "byte 0: no JSON value");
  CHECK(error_of("NaN") == "byte 0: no JSON value");
  CHECK(error_of("\xFF") == "byte 0: not UTF-8");
  CHECK(error_of(std::string(300, '[')) == "byte 256: nested too deep");
}

TEST_CASE("Python's extra numbers are read when asked for", "[text]") {
  const JsonValue value = parse_json("[NaN, -Infinity, Infinity]", JsonDialect::python).value();
  CHECK(value.items[1].text == "-Infinity");
}
