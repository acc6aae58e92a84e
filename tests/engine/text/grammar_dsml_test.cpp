#include "engine/text/grammar_dsml.hpp"

#include "tests/engine/text/schema_model.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <set>

using namespace fathom::engine;
using namespace fathom::engine::test;

namespace {

const TestVocabulary& vocabulary() {
  static const TestVocabulary made(2'500);
  return made;
}

const std::vector<GrammarTool>& tools() {
  static const std::vector<GrammarTool> made = {
      {"read", R"({"type":"object","properties":{"path":{"type":"string"},
                   "range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2}},
                   "required":["path"]})"},
      {"read_all", R"({"type":"object","properties":{"deep":{"type":"boolean"},
                       "kind":{"enum":["file","files",3]},"id":{"type":["string","integer"]}},
                       "required":["kind"]})"},
      {"edit", R"({"$defs":{"text":{"type":"string"}},"type":"object","properties":{
                   "old":{"$ref":"#/$defs/text"},
                   "changes":{"type":"array","items":{"type":"object","properties":{
                     "at":{"type":"integer"},"text":{"$ref":"#/$defs/text"}},"required":["at"]}},
                   "any":{},"maybe":{"anyOf":[{"type":"string"},{"type":"null"}]}},
                   "required":["old","changes"]})"},
      {"stop", ""}};
  return made;
}

const Json& schema_of(const std::string& name) {
  static const std::map<std::string, Json> parsed_tools = [] {
    std::map<std::string, Json> parsed;
    for (const GrammarTool& tool : tools())
      parsed[tool.name] = tool.parameters.empty() ? Json{{"properties", Json::object()}}
                                                  : Json::parse(tool.parameters);
    return parsed;
  }();
  return parsed_tools.at(name);
}

std::shared_ptr<const Grammar> grammar(const ToolCallOptions& options) {
  return Grammar::tool_calls(vocabulary().prepared(), tools(), options).value();
}

std::string error_of(const std::vector<GrammarTool>& declared,
                     const ToolCallOptions& options = {}) {
  const auto made = Grammar::tool_calls(vocabulary().prepared(), declared, options);
  return made ? "" : made.error().message;
}

bool takes(const std::shared_ptr<const Grammar>& made, std::string_view text) {
  Dice dice(text.size());
  GrammarState state(made);
  for (const TokenId token : vocabulary().cut(text, dice))
    if (!state.accept(token)) return false;
  return state.accept(TestVocabulary::kEnd);
}

// `D` for the marker, as api.md writes it.
std::string dsml(std::string_view text) {
  std::string made;
  for (const char byte : text)
    if (byte == '@')
      made += kMarkerText;
    else
      made += byte;
  return made;
}

std::string call_of(std::string_view inside) {
  return dsml("\n\n<@tool_calls>\n" + std::string(inside) + "\n</@tool_calls>");
}

// A reader of the bytes, strict about A.7: consumes the literal or fails the test.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool take(std::string_view text) {
    const std::string literal = dsml(text);
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  void need(std::string_view text) {
    INFO("needs " << text << " at " << rest_);
    REQUIRE(take(text));
  }
  std::string until(std::string_view text) {
    const std::string literal = dsml(text);
    const std::size_t at = rest_.find(literal);
    REQUIRE(at != std::string_view::npos);
    const std::string found(rest_.substr(0, at));
    rest_.remove_prefix(at + literal.size());
    return found;
  }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// The arguments of one invoke, read to behind its end.
Json read_invoke(Reader& reader, std::string& name) {
  name = reader.until("\">\n");
  Json arguments = Json::object();
  bool first = true;
  while (!reader.take("\n</@invoke>")) {
    reader.need(first ? "<@parameter name=\"" : "\n<@parameter name=\"");
    first = false;
    const std::string key = reader.until("\" string=\"");
    const bool text = reader.take("true\">");
    if (!text) reader.need("false\">");
    const std::string value = reader.until("</@parameter>");
    REQUIRE_FALSE(arguments.contains(key));
    arguments[key] = text ? Json(value) : Json::parse(value, nullptr, false);
    REQUIRE_FALSE(arguments[key].is_discarded());
    REQUIRE((text || key == "any" || !arguments[key].is_string()));
  }
  return arguments;
}

int check_calls(std::string_view text) {
  Reader reader(text);
  int calls = 0;
  for (reader.need("<@invoke name=\"");; reader.need("<@invoke name=\"")) {
    std::string name;
    const Json read = read_invoke(reader, name);
    INFO(name << " " << read.dump(-1, ' ', false, Json::error_handler_t::replace));
    const Json& schema = schema_of(name);
    CHECK(why_invalid(read, schema, schema).empty());
    ++calls;
    reader.need("\n");
    if (reader.take("</@tool_calls>")) break;
  }
  CHECK(reader.empty());
  return calls;
}

}  // namespace

TEST_CASE("every text that the masks permit is well-formed calls of declared tools", "[engine]") {
  const auto required = grammar({.choice = CallChoice::required});
  Dice dice(1);
  int calls = 0;
  for (int i = 0; i < 120; ++i) {
    const Walk walked = walk(GrammarState(required), vocabulary(), dice, dice.roll(80));
    if (!walked.ended) continue;
    INFO(walked.text);
    const std::string begin = dsml("\n\n<@tool_calls>\n");
    REQUIRE(walked.text.starts_with(begin));
    calls += check_calls(std::string_view(walked.text).substr(begin.size()));
  }
  CHECK(calls > 120);
}

TEST_CASE("automatic: free text until a call begins", "[engine]") {
  const auto automatic = grammar({});
  CHECK(takes(automatic, ""));
  CHECK(takes(automatic, "Just text, a < b, </x> and <｜DSML."));
  CHECK(
      takes(automatic, "I look.\n\n" + dsml("<@tool_calls>\n<@invoke name=\"stop\">\n\n</@invoke>\n"
                                            "</@tool_calls>")));
  CHECK_FALSE(takes(automatic, dsml("text @ text")));
  CHECK_FALSE(takes(automatic, dsml("<@tool_calls>\n<@invoke name=\"stop\">\n\n</@invoke>")));
  CHECK_FALSE(takes(automatic, dsml("<@invoke name=\"stop\">")));
  Dice dice(2);
  for (int i = 0; i < 60; ++i) {
    const Walk walked = walk(GrammarState(automatic), vocabulary(), dice, dice.roll(40));
    INFO(walked.text);
    REQUIRE(walked.ended);
    const std::string begin = dsml("<@tool_calls>\n");
    const std::size_t at = walked.text.find(begin);
    if (at != std::string::npos)
      check_calls(std::string_view(walked.text).substr(at + begin.size()));
  }
}

TEST_CASE("calls by hand", "[engine]") {
  const auto required = grammar({.choice = CallChoice::required});
  const auto ok = [&](std::string_view inside) { return takes(required, call_of(inside)); };
  CHECK(ok("<@invoke name=\"stop\">\n\n</@invoke>"));
  CHECK(
      ok("<@invoke name=\"read\">\n<@parameter name=\"path\" string=\"true\">a\n\"b\" </p>"
         "</@parameter>\n</@invoke>"));
  SECTION("parameters come in any order, once, and the required ones must") {
    const std::string path = "<@parameter name=\"path\" string=\"true\">x</@parameter>";
    const std::string range = "<@parameter name=\"range\" string=\"false\">[1, 2]</@parameter>";
    const auto read = [&](const std::string& inside) {
      return ok("<@invoke name=\"read\">\n" + inside + "\n</@invoke>");
    };
    CHECK(read(path + "\n" + range));
    CHECK(read(range + "\n" + path));
    CHECK_FALSE(read(range));
    CHECK_FALSE(read(""));
    CHECK_FALSE(read(path + "\n" + path));
    CHECK_FALSE(read(path + range));
  }
  SECTION("string says what the schema says") {
    const auto kind = [&](std::string_view is, std::string_view value) {
      return ok("<@invoke name=\"read_all\">\n<@parameter name=\"kind\" string=\"" +
                std::string(is) + "\">" + std::string(value) + "</@parameter>\n</@invoke>");
    };
    CHECK(kind("true", "file"));
    CHECK(kind("true", "files"));
    CHECK(kind("false", "3"));
    CHECK_FALSE(kind("true", "filess"));
    CHECK_FALSE(kind("true", "3"));
    CHECK_FALSE(kind("false", "\"file\""));
  }
  SECTION("only declared names") {
    CHECK_FALSE(ok("<@invoke name=\"write\">\n\n</@invoke>"));
    CHECK_FALSE(ok("<@invoke name=\"rea\">\n\n</@invoke>"));
    CHECK_FALSE(ok("<@invoke name=\"stop\">\n<@parameter name=\"x\" string=\"true\">"));
  }
  SECTION("the marker's text in ordinary tokens is no tag") {
    GrammarState state(required);
    Dice dice(1);
    for (const TokenId token : vocabulary().cut("\n\n<", dice)) REQUIRE(state.accept(token));
    constexpr TokenId kFirstByteOfBar = TestVocabulary::kMarker + 1 + 0xEF;
    CHECK_FALSE(state.accept(kFirstByteOfBar));
    CHECK(state.accept(TestVocabulary::kMarker));
  }
}

TEST_CASE("calls_max ends the block", "[engine]") {
  const std::string stop = "<@invoke name=\"stop\">\n\n</@invoke>";
  const auto one = grammar({.choice = CallChoice::required, .calls_max = 1});
  CHECK(takes(one, call_of(stop)));
  CHECK_FALSE(takes(one, call_of(stop + "\n" + stop)));
  const auto two = grammar({.choice = CallChoice::required, .calls_max = 2});
  CHECK(takes(two, call_of(stop + "\n" + stop)));
  CHECK_FALSE(takes(two, call_of(stop + "\n" + stop + "\n" + stop)));
}

TEST_CASE("a call has one of its tool's forms, whole", "[engine]") {
  const auto form = [](const std::string& path, const std::string& line) {
    return R"({"properties":{"path":{"const":")" + path + R"("},"old":{"enum":[")" + line +
           R"("]},"new":{"type":"string"}},"required":["path","old","new"]})";
  };
  const std::vector<GrammarTool> declared = {
      {"edit", form("a", "one"), {form("b", "two"), R"({"properties":{"show":{"const":"b"}}})"}}};
  const auto made =
      Grammar::tool_calls(vocabulary().prepared(), declared, {.choice = CallChoice::required})
          .value();
  const auto written = [](const std::string& name, const std::string& value) {
    return "<@parameter name=\"" + name + "\" string=\"true\">" + value + "</@parameter>";
  };
  const auto ok = [&](const std::string& one, const std::string& other) {
    const std::string end = "\n" + written("new", "x") + "\n</@invoke>";
    return takes(made, call_of("<@invoke name=\"edit\">\n" + one + "\n" + other + end));
  };
  CHECK(ok(written("path", "a"), written("old", "one")));
  CHECK(ok(written("old", "two"), written("path", "b")));
  CHECK_FALSE(ok(written("path", "a"), written("old", "two")));
  CHECK_FALSE(ok(written("old", "one"), written("path", "b")));
  CHECK_FALSE(ok(written("path", "c"), written("old", "one")));
  CHECK(takes(made, call_of("<@invoke name=\"edit\">\n" + written("show", "b") + "\n</@invoke>")));
  CHECK_FALSE(
      takes(made, call_of("<@invoke name=\"edit\">\n" + written("path", "a") + "\n</@invoke>")));
  CHECK(error_of({{"x", "", {"{"}}}) == "tool 'x': 'parameters' is not JSON");
  CHECK(error_of({{"x", "", std::vector<std::string>(kToolFormsMax)}}) ==
        "tool 'x': has more than 128 forms");
}

TEST_CASE("a tool that cannot be compiled is named", "[engine]") {
  constexpr ToolCallOptions kStrict = {.unsupported = Unsupported::refuse};
  CHECK(error_of({{"x", R"({"properties":{"y":{"type":"string","pattern":"a"}}})"}}, kStrict) ==
        "tool 'x': parameter 'y': unsupported keyword 'pattern' (no grammar expresses it: leave it "
        "out)");
  CHECK(error_of({{"x", R"({"properties":{"y":{"items":{"type":"text"}}}})"}}) ==
        R"(tool 'x': parameter 'y[]': unknown type "text")");
  CHECK(error_of({{"x", "{"}}) == "tool 'x': 'parameters' is not JSON");
  CHECK(error_of({{"x", "[]"}}) == "tool 'x': 'parameters' must be an object's schema");
  CHECK(error_of({{"x", R"({"type":"string"})"}}) ==
        "tool 'x': 'parameters' must be an object's schema");
  CHECK(error_of({{"x y", ""}}) == "tool 'x y': a name is 1 to 64 letters, digits, '_' or '-'");
  CHECK(error_of({{"x", ""}, {"x", ""}}) == "tool 'x': declared twice");
  CHECK(error_of({{"x", R"({"properties":{"a\"b":{}}})"}}) ==
        "tool 'x': parameter 'a\"b': the name cannot be written in DSML");
  CHECK(error_of({}) == "tool calls: no tool is declared");
  CHECK(error_of({{"x", ""}}, {.calls_max = 33}) == "tool calls: calls_max 33 is not in 1 … 32");
}

TEST_CASE("a schema that doubles at every depth is refused, not expanded", "[engine]") {
  Json schema = {{"properties", {{"y", {{"$ref", "#/$defs/d0"}}}}}};
  for (int i = 0; i < 40; ++i) {
    const Json next = {{"$ref", "#/$defs/d" + std::to_string(i + 1)}};
    schema["$defs"]["d" + std::to_string(i)] = {{"anyOf", {next, next}}};
  }
  schema["$defs"]["d40"] = {{"type", "integer"}};
  CHECK(error_of({{"x", schema.dump()}}) == "tool 'x': parameter 'y': more than 4096 branches");
  // Inside JSON each schema is compiled once.
  schema["properties"]["y"] = {{"items", {{"$ref", "#/$defs/d0"}}}};
  CHECK(error_of({{"x", schema.dump()}}).empty());
}

TEST_CASE("what a tool's grammar does not hold to is listed with the tool", "[engine]") {
  const std::vector<GrammarTool> declared = {
      {"x", R"({"properties":{"y":{"type":"string","maxLength":5},"n":{"minimum":1}}})"}};
  const auto made = Grammar::tool_calls(vocabulary().prepared(), declared).value();
  CHECK(std::vector(made->relaxations().begin(), made->relaxations().end()) ==
        std::vector<std::string>{
            "tool 'x': parameter 'y': keyword 'maxLength' is not held to (free text)",
            "tool 'x': parameter 'n': keyword 'minimum' is not held to"});
}
