#include "engine/remote/openai_codec.hpp"

#include "engine/text/json_value.hpp"
#include "tests/engine/remote/answer_check.hpp"
#include "tests/engine/remote/wire_fixture.hpp"

using namespace fathom;
using namespace fathom::engine;
using test::body_of;

namespace {

const OpenAiCodec& deepseek() {
  static const OpenAiCodec codec(openai_options("deepseek-v4-flash", Vendor::deepseek));
  return codec;
}

OpenAiCodec codec_for(Vendor vendor, std::string model = "m") {
  return OpenAiCodec(openai_options(std::move(model), vendor));
}

const AnswerContext& with_bash() {
  static const AnswerContext context{{test::bash_tool()}, true};
  return context;
}

// One chunk, with `choice` as the inside of its choice.
std::string chunk(const std::string& choice) {
  return R"(data: {"model":"m","choices":[{"index":0,)" + choice + "}]}\n\n";
}
std::string content(const std::string& text) {
  return chunk(R"("delta":{"content":")" + text + "\"}");
}
std::string call(const std::string& arguments) {
  std::string piece = R"("delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"bash",)";
  append_json_field(piece, "arguments", arguments);
  return chunk(piece + "}}]}");
}
const std::string kStop = chunk(R"("delta":{},"finish_reason":"stop")");
const std::string kLength = chunk(R"("delta":{},"finish_reason":"length")");
const std::string kDone = "data: [DONE]\n\n";

test::ReadAnswer read(const std::string& stream) {
  return test::read_stream(deepseek(), with_bash(), stream);
}

}  // namespace

TEST_CASE("requests to each kind of server are written as recorded", "[engine]") {
  const auto setup = test::full_setup();
  const auto transcript = test::full_transcript();
  test::check_recorded("openai_deepseek.json", body_of(deepseek(), setup, transcript));
  test::check_recorded("openai_openai.json", body_of(codec_for(Vendor::openai), setup, transcript));
  test::check_recorded("openai_other.json", body_of(codec_for(Vendor::other), setup, transcript));
  test::check_recorded("openai_no_calls.json",
                       body_of(deepseek(), setup, transcript, {100, false}));
}

TEST_CASE("a request is JSON, and what may differ between two stands behind the messages",
          "[engine]") {
  const auto setup = test::full_setup();
  for (const Vendor vendor : {Vendor::deepseek, Vendor::openai, Vendor::other}) {
    const OpenAiCodec codec = codec_for(vendor);
    const std::string free = body_of(codec, setup, test::full_transcript());
    const std::string bound = body_of(codec, setup, test::full_transcript(), {100, false});
    const auto json = parse_json(bound);
    REQUIRE(json);
    CHECK(text_of(json->find("tool_choice")) == "none");
    const std::size_t messages_end = free.rfind(']');
    CHECK(bound.substr(0, messages_end) == free.substr(0, messages_end));
  }
}

TEST_CASE("reasoning is always there for a DeepSeek model, else from the first on that had some",
          "[engine]") {
  const Transcript silent{{{Role::assistant, "Hi.", "", {}, {}}}, 0};
  CHECK(body_of(deepseek(), {}, silent).contains(R"("reasoning_content":"")"));
  CHECK(body_of(codec_for(Vendor::other, "deepseek-ai/DeepSeek-V4"), {}, silent)
            .contains(R"("reasoning_content":"")"));
  CHECK_FALSE(body_of(codec_for(Vendor::other), {}, silent).contains("reasoning_content"));
  const Transcript later{{{Role::assistant, "Hi.", "", {}, {}},
                          {Role::assistant, "Hm.", "x", {}, {}},
                          {Role::assistant, "Bye.", "", {}, {}}},
                         0};
  const std::string body = body_of(codec_for(Vendor::other), {}, later);
  CHECK(body.contains(R"("content":"Hi."},)"));
  CHECK(body.contains(R"("content":"Bye.","reasoning_content":"")"));
  CHECK_FALSE(body_of(codec_for(Vendor::openai), {}, later).contains("reasoning_content"));
}

TEST_CASE("effort none turns thinking off", "[engine]") {
  SessionSetup setup;
  setup.sampling.effort = "none";
  CHECK(deepseek().begin(setup).contains(R"("thinking":{"type":"disabled"})"));
  CHECK_FALSE(deepseek().begin(setup).contains("reasoning_effort"));
  CHECK(codec_for(Vendor::openai).begin(setup).contains(R"("reasoning_effort":"none")"));
  CHECK(codec_for(Vendor::other, "deepseek-v4")
            .begin(setup)
            .contains(R"("chat_template_kwargs":{"thinking":false})"));
  setup.sampling.effort = "max";
  CHECK(codec_for(Vendor::openai).begin(setup).contains(R"("reasoning_effort":"xhigh")"));
}

TEST_CASE("an answer's schema is a field where that leaves room for calls, else words",
          "[engine]") {
  SessionSetup setup;
  setup.answer_schema = R"({"type":"object"})";
  CHECK(codec_for(Vendor::other).begin(setup).contains(R"("schema":{"type":"object"})"));
  CHECK(deepseek().begin(setup).contains(R"("response_format":{"type":"json_object"})"));
  CHECK(deepseek().begin(setup).contains("## Response Format:"));
  setup.tools = {test::bash_tool()};
  CHECK(codec_for(Vendor::openai).begin(setup).contains("\"json_schema\""));
  for (const Vendor vendor : {Vendor::deepseek, Vendor::other}) {
    CHECK_FALSE(codec_for(vendor).begin(setup).contains("response_format"));
    CHECK(codec_for(vendor).begin(setup).contains("## Response Format:"));
  }
}

TEST_CASE("nothing that was not set is asked for", "[engine]") {
  CHECK(body_of(codec_for(Vendor::other, ""), {}, {}) ==
        R"({"stream":true,"stream_options":{"include_usage":true},"messages":[]})");
}

TEST_CASE("a recorded answer with reasoning, text and two calls is read whole", "[engine]") {
  using Kind = SampleDelta::Kind;
  const auto answer = read(test::recorded("openai_calls.sse"));
  CHECK_FALSE(answer.fault);
  CHECK(answer.finish == FinishReason::tool_calls);
  CHECK(answer.usage == Usage{120, 64, 30, 5});
  CHECK(answer.model == "deepseek-v4-flash");
  CHECK(answer.repaired.empty());
  const Message& message = answer.message;
  CHECK(message.role == Role::assistant);
  CHECK(message.reasoning == "I look first.");
  CHECK(message.text == "Über \"alles\" 😀");
  CHECK(message.calls == std::vector<ToolCall>{{"call_a", "bash", R"({"command": "ls"})", {}},
                                               {"call_b", "bash", R"({"command":"pwd"})", {}}});
  CHECK(answer.deltas == std::vector<SampleDelta>{
                             {Kind::reasoning, 0, "I look first."},
                             {Kind::content, 0, "Über \"alles\" 😀"},
                             {Kind::call_started, 0, "bash"},
                             {Kind::call_arguments, 0, R"({"command": "ls"})"},
                             {Kind::call_started, 1, "bash"},
                             {Kind::call_arguments, 1, R"({"command":"pwd"})"},
                             {Kind::call_finished, 0, ""},
                             {Kind::call_finished, 1, ""},
                         });
}

TEST_CASE("calls that a server left in the content as text are read from it", "[engine]") {
  const auto answer = read(test::recorded("openai_text_call.sse"));
  CHECK_FALSE(answer.fault);
  CHECK(answer.message.text == "Looking.");
  CHECK(answer.message.reasoning == "Look.");
  REQUIRE(answer.message.calls.size() == 1);
  CHECK(answer.message.calls[0].name == "bash");
  CHECK(answer.message.calls[0].arguments == R"({"command": "ls"})");
  CHECK(answer.finish == FinishReason::tool_calls);
  CHECK(answer.repaired ==
        "read 1 call(s) from the content (the server parses none: start it with a tool parser)");
  const AnswerContext no_tools;
  const auto text = test::read_stream(deepseek(), no_tools, test::recorded("openai_text_call.sse"));
  CHECK(text.message.calls.empty());
  CHECK(text.message.text.contains("DSML"));
}

TEST_CASE("a call inside a reasoning that never ended is read from it", "[engine]") {
  const auto answer =
      read(chunk(R"("delta":{"reasoning_content":"Hm.\n\n<｜DSML｜tool_calls>\n)"
                 R"(<｜DSML｜invoke name=\"bash\">\n)"
                 R"(<｜DSML｜parameter name=\"command\" string=\"true\">ls</｜DSML｜parameter>\n)"
                 R"(</｜DSML｜invoke>\n</｜DSML｜tool_calls>"})") +
           kStop + kDone);
  CHECK(answer.message.reasoning == "Hm.");
  REQUIRE(answer.message.calls.size() == 1);
  CHECK(answer.message.calls[0].arguments == R"({"command": "ls"})");
  CHECK(answer.repaired.contains("from the reasoning"));
}

TEST_CASE("every cut of a recorded stream gives the same answer", "[engine]") {
  for (const std::string name : {"openai_calls.sse", "openai_text_call.sse"}) {
    const std::string stream = test::recorded(name);
    const auto whole = read(stream);
    for (std::size_t at = 0; at <= stream.size(); ++at) {
      CAPTURE(name, at);
      REQUIRE(test::read_stream(deepseek(), with_bash(), stream, {at, stream.size()}) == whole);
    }
  }
}

TEST_CASE("an answer that ends before its end is a broken transport", "[engine]") {
  const std::string stream = test::recorded("openai_calls.sse");
  const std::size_t finish = stream.find("\"finish_reason\":\"tool_calls\"");
  for (std::size_t size = 0; size < finish; size += 7) {
    const auto answer = read(stream.substr(0, size));
    REQUIRE(answer.fault);
    CHECK(answer.fault->kind == FaultClass::transport);
    CHECK(answer.fault->message.starts_with("the answer broke off after "));
  }
  CHECK_FALSE(read(stream.substr(0, stream.find("data: [DONE]"))).fault);
}

TEST_CASE("the three words for reasoning and both for cached tokens are understood", "[engine]") {
  for (const std::string key : {"reasoning_content", "reasoning", "reasoning_text"}) {
    const auto answer = read(chunk("\"delta\":{\"" + key + "\":\"hm\"}") + kStop + kDone);
    CHECK(answer.message.reasoning == "hm");
  }
  const std::string usage =
      R"(data: {"choices":[],"usage":{"prompt_tokens":9,"prompt_cache_hit_tokens":4}})"
      "\n\n";
  CHECK(read(content("x") + kStop + usage + kDone).usage == Usage{9, 4, 0, 0});
}

TEST_CASE("an answer of one JSON body is read like a stream", "[engine]") {
  const auto answer = test::read_body(deepseek(), with_bash(), R"(

    {"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,
      "reasoning_content":"hm","tool_calls":[{"id":"a","type":"function",
      "function":{"name":"bash","arguments":{"command":"ls"}}}]},"finish_reason":"tool_calls"}],
      "usage":{"prompt_tokens":3,"completion_tokens":2}})");
  CHECK_FALSE(answer.fault);
  CHECK(answer.message.reasoning == "hm");
  CHECK(answer.message.calls == std::vector<ToolCall>{{"a", "bash", R"({"command": "ls"})", {}}});
  CHECK(answer.usage == Usage{3, 0, 2, 0});
}

TEST_CASE("a call cut by the length limit is dropped and never mended", "[engine]") {
  const auto cut = read(call(R"({"command":"rm -rf /tmp/x"})") + kLength + kDone);
  CHECK(cut.message.calls.size() == 1);  // its arguments are whole
  const auto open = read(call(R"({"command":"rm -rf /)") + kLength + kDone);
  CHECK(open.message.calls.empty());
  CHECK(open.finish == FinishReason::length);
  CHECK(open.repaired == "call 1 (bash): dropped, it was cut by the length limit");
  const auto bare = read(call("") + kLength + kDone);
  CHECK(bare.message.calls.empty());
}

TEST_CASE("arguments that are nearly JSON are mended and noted", "[engine]") {
  const auto mended = read(call("```json\n{\"command\":\"ls\",}\n```") + kStop + kDone);
  REQUIRE(mended.message.calls.size() == 1);
  CHECK(mended.message.calls[0].arguments == R"({"command":"ls"})");
  CHECK(mended.repaired == "call 1 (bash): removed a code fence, removed a trailing comma");
  const auto hopeless = read(call("ls -l") + kStop + kDone);
  CHECK(hopeless.message.calls.at(0).arguments == "ls -l");
  CHECK(hopeless.repaired.empty());
}

TEST_CASE("calls are dropped where the request allowed none", "[engine]") {
  const AnswerContext context{{test::bash_tool()}, false};
  const auto answer =
      test::read_stream(deepseek(), context, content("Sum.") + call("{}") + kStop + kDone);
  CHECK(answer.message.calls.empty());
  CHECK(answer.message.text == "Sum.");
  CHECK(answer.finish == FinishReason::stop);
  CHECK(answer.repaired == "dropped 1 call(s): the request allowed none");
}

TEST_CASE("pieces of calls without an index go by their id", "[engine]") {
  const auto piece = [](const std::string& inside) {
    return chunk(R"("delta":{"tool_calls":[{)" + inside + "}]}");
  };
  const auto answer =
      read(piece(R"("id":"a","function":{"name":"bash","arguments":"{\"command\":"})") +
           piece(R"("function":{"arguments":"\"x\"}"})") +
           piece(R"("id":"b","function":{"name":"bash","arguments":"{}"})") + kStop + kDone);
  CHECK(answer.message.calls ==
        std::vector<ToolCall>{{"a", "bash", R"({"command":"x"})", {}}, {"b", "bash", "{}", {}}});
}

TEST_CASE("an error in the stream, a filter and a lack of resources are faults", "[engine]") {
  const auto kind = [](const std::string& stream) {
    const auto answer = read(stream);
    REQUIRE(answer.fault);
    return answer.fault->kind;
  };
  CHECK(kind("data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n") ==
        FaultClass::server);
  CHECK(kind("data: {\"error\":{\"message\":\"x\",\"code\":429}}\n\n") == FaultClass::rate);
  CHECK(kind("data: {\"error\":{\"code\":\"context_length_exceeded\"}}\n\n") ==
        FaultClass::overflow);
  CHECK(kind(chunk(R"("delta":{},"finish_reason":"content_filter")")) == FaultClass::refused);
  CHECK(kind(chunk(R"("delta":{},"finish_reason":"insufficient_system_resource")")) ==
        FaultClass::server);
  CHECK(kind("data: {nope\n\n") == FaultClass::format);
  CHECK(kind(kDone) == FaultClass::format);
}

TEST_CASE("more calls than a sample may hold are an error", "[engine]") {
  std::string stream;
  for (std::size_t i = 0; i <= kCallsPerSampleMax; ++i)
    stream += chunk(R"("delta":{"tool_calls":[{"index":)" + std::to_string(i) +
                    R"(,"id":"x","function":{"name":"bash","arguments":"{}"}}]})");
  const auto answer = read(stream + kStop + kDone);
  REQUIRE(answer.fault);
  CHECK(answer.fault->message == "more than 32 calls in one answer");
}
