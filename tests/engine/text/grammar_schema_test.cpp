#include "engine/text/grammar_schema.hpp"

#include "tests/engine/text/schema_model.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace fathom::engine;
using namespace fathom::engine::test;

namespace {

const TestVocabulary& vocabulary() {
  static const TestVocabulary made(2'500);
  return made;
}

std::shared_ptr<const Grammar> grammar(std::string_view schema) {
  return Grammar::json_schema(vocabulary().prepared(), schema).value();
}

std::string error_of(std::string_view schema) {
  const auto made = Grammar::json_schema(vocabulary().prepared(), schema);
  return made ? "" : made.error().message;
}

// How far the grammar takes the text: all of it and the end, or the first byte it refuses.
bool takes(const std::shared_ptr<const Grammar>& made, std::string_view text) {
  Dice dice(text.size());
  GrammarState state(made);
  for (const TokenId token : vocabulary().cut(text, dice))
    if (!state.accept(token)) return false;
  return state.accept(TestVocabulary::kEnd);
}

bool takes(std::string_view schema, std::string_view text) { return takes(grammar(schema), text); }

constexpr std::string_view kSchemas[] = {
    R"({"type":"object"})",
    R"({})",
    R"({"type":"object","properties":{"path":{"type":"string"},"line":{"type":"integer"},
        "all":{"type":"boolean"}},"required":["path"]})",
    R"({"type":"object","properties":{"a":{"type":"string"},"ab":{"type":"number"},
        "a\"b":{"type":"null"},"é":{"type":"boolean"}},"required":["ab","é"],
        "additionalProperties":{"type":"integer"}})",
    R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":5})",
    R"({"type":"array","items":{"enum":["red","reddish","green",1,12,1.5,null,true]}})",
    R"({"type":"string","minLength":3,"maxLength":7})",
    R"({"type":"array","items":{"type":"string","minLength":2}})",
    R"({"anyOf":[{"type":"string"},{"enum":["a","b"]},{"type":"integer"},{"type":"number"},
        {"type":"object","properties":{"kind":{"const":"x"},"x":{"type":"string"}},
         "required":["kind","x"]},
        {"type":"object","properties":{"kind":{"const":"y"},"y":{"type":"integer"}},
         "required":["kind"]}]})",
    R"({"$defs":{"tree":{"type":"object","properties":{"value":{"type":"integer"},
        "left":{"$ref":"#/$defs/tree"},"right":{"$ref":"#/$defs/tree"}},"required":["value"]}},
        "$ref":"#/$defs/tree"})",
    R"({"$defs":{"list":{"anyOf":[{"type":"array","items":{"$ref":"#/$defs/list"}},
        {"type":"null"}]}},"type":"object","properties":{"list":{"$ref":"#/$defs/list"}},
        "required":["list"],"additionalProperties":false})",
    R"({"type":["string","null","array"],"items":{"type":"integer","minimum":-3,"maximum":12}})",
    R"({"type":"object","properties":{"n":{"type":"integer","nullable":true},
        "o":{"allOf":[{"type":"object","properties":{"p":{"type":"array","maxItems":0}}}]}}})",
    R"({"type":"array","items":{"type":"object","properties":{},"additionalProperties":true}})",
};

}  // namespace

TEST_CASE("every valid document is accepted, however it is cut into tokens", "[engine]") {
  for (const std::string_view text : kSchemas) {
    const Json schema = Json::parse(text);
    const auto made = grammar(text);
    Dice dice(1);
    for (int i = 0; i < 150; ++i) {
      const std::string document = print(random_value(schema, schema, dice), dice);
      INFO(text << "\n" << document);
      GrammarState state(made);
      std::string read;
      for (const TokenId token : vocabulary().cut(document, dice)) {
        read += vocabulary().text_of(token);
        INFO(read);
        REQUIRE(state.accept(token));
      }
      REQUIRE(state.accept(TestVocabulary::kEnd));
      REQUIRE(state.ended());
    }
  }
}

TEST_CASE("every text that the masks permit parses and is valid", "[engine]") {
  for (const std::string_view text : kSchemas) {
    const Json schema = Json::parse(text);
    const auto made = grammar(text);
    Dice dice(2);
    int ended = 0;
    std::vector<std::string> hints;
    const Json properties =
        schema.is_object() ? schema.value("properties", Json::object()) : Json();
    for (const auto& [name, of] : properties.items())
      hints.push_back(Json(name).dump().substr(1) + ":");
    for (int i = 0; i < 40; ++i) {
      const Walk walked = walk(GrammarState(made), vocabulary(), dice, dice.roll(60), hints);
      if (!walked.ended) continue;
      ++ended;
      INFO(text << "\n" << walked.text);
      const Json value = Json::parse(walked.text, nullptr, false);
      REQUIRE_FALSE(value.is_discarded());
      CHECK(why_invalid(value, schema, schema).empty());
    }
    INFO(text);
    CHECK(ended > 30);
  }
}

TEST_CASE("what a schema forbids is refused", "[engine]") {
  constexpr std::string_view kObject =
      R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},
          "required":["a"]})";
  CHECK(takes(kObject, R"({"b": "x", "a": 1})"));
  CHECK(takes(kObject, R"({"a":1})"));
  CHECK_FALSE(takes(kObject, R"({})"));
  CHECK_FALSE(takes(kObject, R"({"b":"x"})"));
  CHECK_FALSE(takes(kObject, R"({"a":1,"a":2})"));
  CHECK_FALSE(takes(kObject, R"({"a":1,"c":2})"));
  CHECK_FALSE(takes(kObject, R"({"a":1.5})"));
  CHECK_FALSE(takes(kObject, R"({"a":1,})"));
  CHECK_FALSE(takes(kObject, R"({"a":1)"));
  CHECK_FALSE(takes(kObject, R"( {"a":1})"));
  CHECK_FALSE(takes(kObject, "{\"a\":1}\n"));
  CHECK_FALSE(takes(kObject, R"([1])"));
}

TEST_CASE("the whitespace policy", "[engine]") {
  const auto any = grammar("{}");
  CHECK(takes(any, "[\n    1 ,\n\t2\n]"));
  CHECK(takes(any, "[ \n 1]"));
  CHECK_FALSE(takes(any, "[\n\n1]"));
  CHECK(takes(any, "[" + std::string(64, ' ') + "1]"));
  CHECK_FALSE(takes(any, "[" + std::string(65, ' ') + "1]"));
  CHECK_FALSE(takes(any, "[\r\n1]"));
  CHECK_FALSE(takes(any, R"({"a" :1})"));
}

TEST_CASE("other members may be called anything but what is declared", "[engine]") {
  constexpr std::string_view kOpen =
      R"({"properties":{"path":{"type":"string"}},"additionalProperties":{"type":"integer"}})";
  CHECK(takes(kOpen, R"({"pat":1,"paths":2,"":3,"q\"":4,"path":"x","other":5})"));
  CHECK_FALSE(takes(kOpen, R"({"path":1})"));
  CHECK_FALSE(takes(kOpen, R"({"path":"x","path":"y"})"));
  CHECK_FALSE(takes(kOpen, R"({"pa\u0074h":1})"));
}

TEST_CASE("objects of more than 64 members take them in the declared order", "[engine]") {
  Json schema = {{"type", "object"}, {"required", {"k3", "k70"}}};
  for (int i = 0; i < 80; ++i)
    schema["properties"]["k" + std::to_string(i)] = {{"type", "integer"}};
  const std::string text = schema.dump();
  CHECK(takes(text, R"({"k3":1,"k70":2})"));
  CHECK(takes(text, R"({"k0":0,"k3":1,"k69":2,"k70":3,"k79":4})"));
  CHECK_FALSE(takes(text, R"({"k70":1,"k3":2})"));
  CHECK_FALSE(takes(text, R"({"k4":1,"k70":2})"));
  CHECK_FALSE(takes(text, R"({"k3":1,"k71":2})"));
  CHECK_FALSE(takes(text, R"({"k3":1})"));
  Dice dice(3);
  for (int i = 0; i < 20; ++i) {
    const Walk walked = walk(GrammarState(grammar(text)), vocabulary(), dice, 40);
    REQUIRE(walked.ended);
    CHECK(why_invalid(Json::parse(walked.text), schema, schema).empty());
  }
}

TEST_CASE("enums and constants may be whole values", "[engine]") {
  CHECK(takes(R"({"const":[1,{"a":null}]})", R"([1,{"a":null}])"));
  CHECK(takes(R"({"enum":["a",["b"]]})", R"(["b"])"));
  CHECK_FALSE(takes(R"({"enum":["a",["b"]]})", R"("b")"));
  CHECK(takes(R"({"type":"string","enum":["a",1]})", R"("a")"));
  CHECK_FALSE(takes(R"({"type":"string","enum":["a",1]})", "1"));
}

TEST_CASE("what cannot be compiled says where and why", "[engine]") {
  CHECK(error_of("{") == "schema: not JSON");
  CHECK(error_of(R"({"type":"string","pattern":"^a"})") ==
        "schema: unsupported keyword 'pattern' (no grammar expresses it: leave it out)");
  CHECK(error_of(R"({"properties":{"a":{"items":{"properties":{"b":{"minimum":1}}}}}})") ==
        "schema: property 'a[].b': unsupported keyword 'minimum' (no grammar expresses it: leave "
        "it out)");
  CHECK(error_of(R"({"type":"text"})") == R"(schema: unknown type "text")");
  CHECK(error_of(R"({"type":"string","minLength":3,"maxLength":2})") ==
        "schema: 'minLength' is more than 'maxLength'");
  CHECK(error_of(R"({"type":"array","maxItems":-1})") ==
        "schema: 'maxItems' must be a whole number below 2^32 - 1");
  CHECK(error_of(R"({"properties":{"a":{}},"required":["b"]})") ==
        R"(schema: 'required' names "b", which 'properties' lacks)");
  CHECK(error_of(R"({"$ref":"#/$defs/x"})") == "schema: '$ref' to '#/$defs/x' leads nowhere");
  CHECK(error_of(R"({"$ref":"other.json"})") ==
        "schema: '$ref' to 'other.json' leaves the document");
  CHECK(error_of(R"({"$ref":"#"})") ==
        "schema: a '$ref' leads back to itself without a value between");
  CHECK(error_of(R"({"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"type":"null"}]}},
                     "$ref":"#/$defs/a"})") ==
        "schema: a '$ref' leads back to itself without a value between");
  CHECK(error_of("false") == "schema: no value satisfies it");
  CHECK(error_of(R"({"properties":{"a":{"$ref":"#"}},"required":["a"]})") ==
        "schema: no value satisfies it");
  CHECK(error_of(R"({"anyOf":[{"type":"string"}],"type":"string"})") ==
        "schema: unsupported keyword 'type' (beside 'anyOf': write it inside)");
  CHECK(error_of(R"({"allOf":[{"type":"string"},{"type":"null"}]})") ==
        "schema: unsupported keyword 'allOf' (of several schemas: write them as one)");
  std::string deep = "{}";
  for (int i = 0; i < 70; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  CHECK(error_of(deep).ends_with("schemas nested deeper than 64"));
  Json wide = {{"anyOf", Json::array()}};
  Json many = {{"required", Json::array()}};
  for (int i = 0; i < 5'000; ++i) {
    wide["anyOf"].push_back({{"const", i}});
    many["required"].push_back(std::to_string(i));
  }
  CHECK(error_of(wide.dump()) == "schema: more than 256 alternatives in one place");
  CHECK(error_of(many.dump()) == "schema: 5000 properties are more than 4096");
  CHECK(error_of(std::string(kSchemaBytesMax + 1, ' ')) ==
        "schema: 1048577 bytes are more than 1048576");
}

TEST_CASE("relaxed, a grammar says what it does not hold to", "[engine]") {
  const auto made = Grammar::json_schema(vocabulary().prepared(),
                                         R"({"properties":{"a":{"type":"string","pattern":"x",
                                             "format":"date"},"b":{"minimum":0}}})",
                                         Unsupported::relax)
                        .value();
  CHECK(std::vector(made->relaxations().begin(), made->relaxations().end()) ==
        std::vector<std::string>{"property 'a': keyword 'pattern' is not held to",
                                 "property 'b': keyword 'minimum' is not held to"});
  CHECK(takes(made, R"({"a":"anything"})"));
}

TEST_CASE("a branch without any value is never offered", "[engine]") {
  constexpr std::string_view kOptional =
      R"({"$defs":{"endless":{"properties":{"a":{"$ref":"#/$defs/endless"}},"required":["a"]}},
          "properties":{"x":{"$ref":"#/$defs/endless"},"y":{"type":"null"},"z":false}})";
  CHECK(takes(kOptional, R"({"y":null})"));
  CHECK_FALSE(takes(kOptional, R"({"x":{"a":{)"));
  GrammarState state(grammar(kOptional));
  Dice dice(1);
  for (const TokenId token : vocabulary().cut("{\"", dice)) REQUIRE(state.accept(token));
  CHECK(state.forced() == "y\":");
}

TEST_CASE("nesting is bounded and what was opened can be closed", "[engine]") {
  const auto any = grammar("{}");
  GrammarState state(any);
  Dice dice(1);
  int opened = 0;
  while (state.accept(vocabulary().cut("[", dice)[0])) ++opened;
  CHECK(opened == kStackDepthMax);
  CHECK_FALSE(state.accept(vocabulary().cut("1", dice)[0]));  // it would be a frame of its own
  for (; opened > 0; --opened) REQUIRE(state.accept(vocabulary().cut("]", dice)[0]));
  CHECK(state.accept(TestVocabulary::kEnd));
}
