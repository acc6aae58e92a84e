#include "engine/remote/anthropic_codec.hpp"

#include "engine/text/json_value.hpp"
#include "tests/engine/remote/answer_check.hpp"
#include "tests/engine/remote/wire_fixture.hpp"

using namespace fathom;
using namespace fathom::engine;
using test::body_of;

namespace {

const AnthropicCodec& own() {
  static const AnthropicCodec codec({"claude-x", Vendor::anthropic});
  return codec;
}

const AnthropicCodec& copy() {
  static const AnthropicCodec codec({"m", Vendor::deepseek});
  return codec;
}

const AnswerContext& with_bash() {
  static const AnswerContext context{{test::bash_tool()}, true};
  return context;
}

test::ReadAnswer read(const std::string& stream) {
  return test::read_stream(own(), with_bash(), stream);
}

std::string event(const std::string& data) { return "data: " + data + "\n\n"; }
const std::string kStart = event(R"({"type":"message_start","message":{"model":"m","usage":{}}})");
std::string stopped(const std::string& reason) {
  return event(R"({"type":"message_delta","delta":{"stop_reason":")" + reason + "\"}}") +
         event(R"({"type":"message_stop"})");
}

}  // namespace

TEST_CASE("requests in Anthropic's form are written as recorded", "[engine]") {
  const auto setup = test::full_setup();
  const auto transcript = test::full_transcript();
  test::check_recorded("anthropic_own.json", body_of(own(), setup, transcript));
  test::check_recorded("anthropic_copy.json", body_of(copy(), setup, transcript, {100, false}));
  REQUIRE(parse_json(test::recorded("anthropic_own.json")));
  REQUIRE(parse_json(test::recorded("anthropic_copy.json")));
}

TEST_CASE("a bound is always asked for, as the API requires", "[engine]") {
  CHECK(body_of(copy(), {}, {}) ==
        R"({"model":"m","stream":true,"messages":[],"max_tokens":32000})");
}

TEST_CASE("messages that Anthropic would refuse as empty say so", "[engine]") {
  const Transcript transcript{{{Role::user, " \n", {}, {}, {}}, {Role::assistant, "", "", {}, {}}},
                              0};
  const std::string content = R"j(,"content":[{"type":"text","text":"(no text)"}]})j";
  CHECK(
      body_of(own(), {}, transcript)
          .contains("[{\"role\":\"user\"" + content + ",{\"role\":\"assistant\"" + content + "]"));
}

TEST_CASE("a recorded answer of Anthropic's is read whole", "[engine]") {
  const auto answer = read(test::recorded("anthropic_calls.sse"));
  CHECK_FALSE(answer.fault);
  CHECK(answer.finish == FinishReason::tool_calls);
  CHECK(answer.usage == Usage{100, 70, 25, 0});
  CHECK(answer.model == "served");
  CHECK(answer.message.reasoning == "I look first.");
  CHECK(answer.message.text == "Über alles");
  CHECK(answer.message.calls ==
        std::vector<ToolCall>{{"toolu_1", "bash", R"({"command": "ls"})", {}}});
}

TEST_CASE("thinking goes back with its signature, in its place", "[engine]") {
  const auto answer = read(test::recorded("anthropic_calls.sse"));
  const SampledContent sampled{answer.message, answer.wire_content};
  RenderedBody body;
  own().append(body, answer.message, sampled);
  CHECK(body.bytes ==
        R"({"role":"assistant","content":[)"
        R"({"type":"thinking","thinking":"I look first.","signature":"c2ln+/="},)"
        R"({"type":"redacted_thinking","data":"b3BhcXVl"},)"
        R"({"type":"text","text":"Über alles"},)"
        R"({"type":"tool_use","id":"toolu_1","name":"bash","input":{"command": "ls"}}]})");
}

TEST_CASE("without a signature Anthropic gets no thinking, and others the bare text", "[engine]") {
  Message message{Role::assistant, "Hi.", "hm", {}, {}};
  RenderedBody body;
  own().append(body, message, {});
  CHECK(body.bytes == R"({"role":"assistant","content":[{"type":"text","text":"Hi."}]})");
  body = {};
  copy().append(body, message, {});
  CHECK(body.bytes == R"({"role":"assistant","content":[)"
                      R"({"type":"thinking","thinking":"hm","signature":""},)"
                      R"({"type":"text","text":"Hi."}]})");
  // The answer kept is another one.
  body = {};
  own().append(body, message, {{Role::assistant, "Ho.", "hm", {}, {}}, "kept"});
  CHECK_FALSE(body.bytes.contains("kept"));
}

TEST_CASE("every cut of Anthropic's stream gives the same answer", "[engine]") {
  const std::string stream = test::recorded("anthropic_calls.sse");
  const auto whole = read(stream);
  for (std::size_t at = 0; at <= stream.size(); ++at)
    REQUIRE(test::read_stream(own(), with_bash(), stream, {at, stream.size()}) == whole);
}

TEST_CASE("Anthropic's answer cut short is a broken transport", "[engine]") {
  const std::string stream = test::recorded("anthropic_calls.sse");
  const std::size_t finish = stream.find("event: message_delta");
  for (std::size_t size = 0; size < finish; size += 7) {
    const auto answer = read(stream.substr(0, size));
    REQUIRE(answer.fault);
    CHECK(answer.fault->kind == FaultClass::transport);
  }
}

TEST_CASE("an answer of one JSON body in Anthropic's form is read like a stream", "[engine]") {
  const auto answer = test::read_body(own(), with_bash(), R"({"type":"message","model":"m",
    "content":[{"type":"text","text":"Hi."},
               {"type":"tool_use","id":"t","name":"bash","input":{"command":"ls"}}],
    "stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":2}})");
  CHECK_FALSE(answer.fault);
  CHECK(answer.message.text == "Hi.");
  CHECK(answer.message.calls == std::vector<ToolCall>{{"t", "bash", R"({"command": "ls"})", {}}});
  CHECK(answer.usage == Usage{3, 0, 2, 0});
}

TEST_CASE("each reason to stop has its meaning", "[engine]") {
  for (const std::string reason : {"end_turn", "stop_sequence", "pause_turn"}) {
    const auto answer = read(kStart + stopped(reason));
    CHECK_FALSE(answer.fault);
    CHECK(answer.finish == FinishReason::stop);
  }
  CHECK(read(kStart + stopped("max_tokens")).finish == FinishReason::length);
  CHECK(read(kStart + stopped("refusal")).fault->kind == FaultClass::refused);
  CHECK(read(kStart + stopped("model_context_window_exceeded")).fault->kind ==
        FaultClass::overflow);
}

TEST_CASE("an error event is a fault of the class that it names", "[engine]") {
  const auto kind = [](const std::string& type) {
    const auto answer =
        read(kStart + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"" + type +
             "\",\"message\":\"m\"}}\n\n");
    REQUIRE(answer.fault);
    CHECK(answer.fault->message == "error in the answer: " + type + ": m");
    return answer.fault->kind;
  };
  CHECK(kind("overloaded_error") == FaultClass::server);
  CHECK(kind("rate_limit_error") == FaultClass::rate);
  CHECK(kind("authentication_error") == FaultClass::refused);
  CHECK(kind("billing_error") == FaultClass::balance);
}

TEST_CASE("a call of Anthropic's cut by the length limit is dropped", "[engine]") {
  const auto answer =
      read(kStart +
           event(R"({"type":"content_block_start","index":0,"content_block":)"
                 R"({"type":"tool_use","id":"t","name":"bash","input":{}}})") +
           event(R"({"type":"content_block_delta","index":0,"delta":)"
                 R"({"type":"input_json_delta","partial_json":"{\"command\":\"rm"}})") +
           stopped("max_tokens"));
  CHECK_FALSE(answer.fault);
  CHECK(answer.message.calls.empty());
  CHECK(answer.wire_content.empty());
}

TEST_CASE("blocks that nobody began and blocks without number are refused", "[engine]") {
  CHECK(
      read(kStart + event(R"({"type":"content_block_delta","index":4,"delta":{}})")).fault->kind ==
      FaultClass::format);
  std::string stream = kStart;
  for (int i = 0; i < 600; ++i)
    stream += event(R"({"type":"content_block_start","index":)" + std::to_string(i) +
                    R"(,"content_block":{"type":"text","text":""}})");
  CHECK(read(stream).fault->message == "more than 512 blocks in one answer");
}
