#include "tools/arguments.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::tools;

namespace {

constexpr std::string_view kParameters = R"({"type":"object","properties":{
  "command":{"type":"string","minLength":1},
  "timeout_s":{"type":"number","minimum":0},
  "mode":{"type":"string","enum":["fast","slow"]},
  "paths":{"type":"array","items":{"type":"string"}},
  "range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2}},
  "required":["command"],"additionalProperties":false})";

Result<> check(std::string_view json) {
  return ArgumentSchema::compile("bash", kParameters)->check(Arguments::parse(json).value());
}

std::string message(std::string_view json) { return check(json).error().message; }

}  // namespace

TEST_CASE("arguments are read by name and type, null counts as not given", "[tools]") {
  const auto arguments =
      Arguments::parse(R"({"a":"x","b":3,"c":1.5,"d":true,"e":null,"f":[1,2],"g":["p","q"]})")
          .value();
  CHECK(arguments.text("a") == "x");
  CHECK(arguments.integer("b") == 3);
  CHECK(arguments.number("b") == 3.0);
  CHECK(arguments.number("c") == 1.5);
  CHECK(arguments.boolean("d") == true);
  CHECK_FALSE(arguments.has("e"));
  CHECK(arguments.integers("f") == std::vector<std::int64_t>{1, 2});
  CHECK(arguments.texts("g") == std::vector<std::string>{"p", "q"});
  CHECK_FALSE(arguments.text("b"));
  CHECK_FALSE(arguments.integer("c"));
  CHECK_FALSE(arguments.has("missing"));
  CHECK(arguments.to_json() ==
        R"({"a":"x","b":3,"c":1.5,"d":true,"e":null,"f":[1,2],"g":["p","q"]})");
}

TEST_CASE("no arguments at all are an empty object", "[tools]") {
  CHECK(Arguments::parse("").value().to_json() == "{}");
  CHECK(Arguments::parse(" \n").value().to_json() == "{}");
}

TEST_CASE("arguments that are no object say what to send", "[tools]") {
  const auto error = [](std::string_view json) { return Arguments::parse(json).error().message; };
  CHECK(error("[1]") == "arguments: send one JSON object, not an array");
  CHECK(error("3") == "arguments: send one JSON object, not a value");
  CHECK(error(R"({"a":1,"a":2})") == "arguments: 'a' stands twice");
  CHECK(error(R"({"a":{"b":1,"b":2}})") == "arguments: 'b' stands twice");
  CHECK(error(R"({"a":)").find("parse error at line 1") != std::string::npos);
  CHECK(error("{\"a\":\"\xff\"}").find("UTF-8") != std::string::npos);
  const std::string deep = R"({"a":)" + std::string(100, '[') + std::string(100, ']') + "}";
  CHECK(error(deep) == "arguments: nested deeper than 64");
}

TEST_CASE("arguments beyond the bound are refused unread", "[tools]") {
  const std::string json = R"({"a":")" + std::string(kArgumentsBytesMax, 'x') + R"("})";
  const auto parsed = Arguments::parse(json);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == ErrorCode::too_large);
}

TEST_CASE("a call that fits the schema passes", "[tools]") {
  CHECK(check(R"({"command":"ls"})"));
  CHECK(check(R"({"command":"ls","timeout_s":2,"mode":"fast","paths":["a"],"range":[1,-1]})"));
  CHECK(check(R"({"command":"ls","timeout_s":null})"));
}

TEST_CASE("a call that does not fit names the thing and how the call is spelled", "[tools]") {
  const std::string spelled =
      "; bash(command: string, timeout_s?: number, mode?: fast|slow, paths?: string[], "
      "range?: integer[])";
  CHECK(message(R"({"cmd":"ls"})") == "bash: unknown 'cmd'" + spelled);
  CHECK(message(R"({"comand":"ls"})") ==
        "bash: unknown 'comand' (did you mean 'command'?)" + spelled);
  CHECK(message("{}") == "bash: missing 'command'" + spelled);
  CHECK(message(R"({"command":null})") == "bash: missing 'command'" + spelled);
  CHECK(message(R"({"command":3})") == "bash: 'command' must be a string, not a number" + spelled);
}

TEST_CASE("a schema that is none is refused, whoever sent it", "[tools]") {
  const auto error = [](std::string_view json) {
    return ArgumentSchema::compile("t", json).error().message;
  };
  CHECK(error("[]") == "tool 't': parameters: no JSON object");
  CHECK(error("{") == "tool 't': parameters: no JSON");
  CHECK(error(R"({"type":"object","required":[3]})").starts_with("tool 't': parameters: "));
  CHECK(error(R"({"type":7})").starts_with("tool 't': parameters: "));
}

TEST_CASE("a schema that would cost the validator its stack or its time is refused", "[tools]") {
  const auto error = [](const std::string& json) {
    return ArgumentSchema::compile("t", json).error().message;
  };
  CHECK(error(R"({"$ref":"#"})") ==
        "tool 't': parameters: a reference leads back to where it stands");
  CHECK(error(R"({"$ref":"#/definitions/a","definitions":{"a":{"allOf":[{"$ref":"#"}]}}})") ==
        "tool 't': parameters: a reference leads back to where it stands");
  CHECK(error(R"({"$ref":"#/definitions/b"})") ==
        "tool 't': parameters: reference '#/definitions/b' leads nowhere");
  CHECK(error(R"({"$ref":"http://example.com/x"})") ==
        "tool 't': parameters: reference 'http://example.com/x' leads out of the schema");
  // Twice as much with each definition.
  std::string doubling = R"({"$ref":"#/definitions/d0","definitions":{)";
  for (int i = 0; i < 30; ++i) {
    const std::string next = R"({"$ref":"#/definitions/d)" + std::to_string(i + 1) + "\"}";
    doubling += "\"d" + std::to_string(i) + R"(":{"allOf":[)" + next + "," + next + "]},";
  }
  doubling += R"("d30":{}}})";
  CHECK(error(doubling).ends_with("nodes with its references written out"));
  const std::string deep = std::string(5'000, '[') + std::string(5'000, ']');
  CHECK(error(R"({"x":)" + deep + "}") == "tool 't': parameters: nested deeper than 64");
  CHECK_FALSE(ArgumentSchema::compile("t", "{\"a\":\"" + std::string(300'000, 'x') + "\"}"));
}

TEST_CASE("a schema's regular expressions are the tool's own to check", "[tools]") {
  const auto schema =
      ArgumentSchema::compile(
          "t", R"({"type":"object","properties":{"pattern":{"type":"string","pattern":"(a+)+$"}},
               "patternProperties":{"(a+)+$":{"type":"integer"}}})")
          .value();
  const std::string endless = std::string(100'000, 'a') + "!";
  CHECK(schema.check(Arguments::parse(R"({"pattern":")" + endless + "\"}").value()));
  CHECK_FALSE(schema.check(Arguments::parse(R"({"pattern":3})").value()));
}
