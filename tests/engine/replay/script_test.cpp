#include "engine/replay/script.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::engine;

namespace {

std::string error_of(std::string_view text) {
  const auto recording = parse_script(text);
  return recording ? "read" : recording.error().message;
}

}  // namespace

TEST_CASE("a script is read answer by answer", "[replay]") {
  const auto recording = parse_script(
      "# a comment\n\n"
      R"({"say":"look","reasoning":"hm","calls":[{"name":"bash","arguments":{"b":1,"a":"x"}},)"
      R"({"name":"git","arguments":"{broken","id":"g1"},{"name":"list"}],"model":"m",)"
      R"("usage":{"prompt_tokens":9,"reused_tokens":4,"completion_tokens":3,"reasoning_tokens":1},)"
      R"("expect":{"contains":"hello"}})"
      "\r\n"
      R"({"say":"cut","finish":"length"})");
  REQUIRE(recording);
  REQUIRE(recording->answers.size() == 2);
  const RecordedAnswer& first = recording->answers[0];
  CHECK(first.contains == "hello");
  CHECK_FALSE(first.request);
  CHECK(first.answer.model == "m");
  CHECK(first.answer.usage == Usage{9, 4, 3, 1});
  CHECK(first.answer.sample.finish == FinishReason::tool_calls);
  const std::vector<ToolCall> calls = {
      {"", "bash", R"({"b":1,"a":"x"})", ""}, {"g1", "git", "{broken", ""}, {"", "list", "{}", ""}};
  CHECK(first.answer.sample.message == Message{Role::assistant, "look", "hm", calls, {}});
  CHECK(recording->answers[1].answer.sample.finish == FinishReason::length);
}

TEST_CASE("what is wrong with a script is named with its line and the nearest key", "[replay]") {
  CHECK(error_of("") == "has no answers: write one JSON object a line");
  CHECK(error_of("\n# only words\n") == "has no answers: write one JSON object a line");
  CHECK(error_of("{\"say\":\"a\"}\n{\"sya\":\"b\"}") ==
        "line 2: unknown key 'sya' (did you mean 'say'?)");
  CHECK(error_of("{\"say\":") == "line 1: not JSON");
  CHECK(error_of("[]") == "line 1: expected a JSON object");
  CHECK(error_of("{}") == "line 1: neither 'say' nor 'calls': there is nothing to answer");
  CHECK(error_of(R"({"say":1})") == "line 1: 'say' must be a text");
  CHECK(error_of(R"({"calls":{}})") == "line 1: 'calls' must be a list");
  CHECK(error_of(R"({"calls":[{"name":"a"},{"nane":"b"}]})") ==
        "line 1: calls[1]: unknown key 'nane' (did you mean 'name'?)");
  CHECK(error_of(R"({"calls":[{}]})") == "line 1: calls[0]: 'name' is missing");
  CHECK(error_of(R"({"calls":[{"name":"a","arguments":[]}]})") ==
        "line 1: calls[0]: 'arguments' must be an object, or a text as the model wrote it");
  CHECK(error_of(R"({"say":"","finish":"stopp"})") ==
        "line 1: 'finish' is 'stopp' (choose stop, length or tool_calls)");
  CHECK(error_of(R"({"say":"","usage":{"prompt_tokens":-1}})") ==
        "line 1: usage: 'prompt_tokens' must be a count");
  CHECK(error_of(R"({"say":"","usage":{"prompt_tokens":1,"reused_tokens":2}})") ==
        "line 1: usage: 'reused_tokens' are part of 'prompt_tokens', not more");
  CHECK(error_of(R"({"say":"","expect":"x"})") == "line 1: expect: expected a JSON object");
  std::string many = R"({"calls":[{"name":"a"})";
  for (std::size_t i = 0; i < kCallsPerSampleMax; ++i) many += R"(,{"name":"a"})";
  CHECK(error_of(many + "]}") == "line 1: 'calls' has 33: an answer has at most 32");
}
