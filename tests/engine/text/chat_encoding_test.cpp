#include "engine/text/chat_encoding.hpp"

#include "engine/text/json_value.hpp"
#include "engine/text/special_token.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/vectors.hpp"

using namespace fathom;
using namespace fathom::engine;

namespace {

std::string text_of(const JsonValue& vector, std::string_view key) {
  const JsonValue* value = vector.find(key);
  return value ? value->text : std::string();
}

ChatOptions options_of(const JsonValue& vector) {
  ChatOptions options;
  options.profile = parse_profile(text_of(vector, "profile")).value();
  options.mode =
      text_of(vector, "thinking_mode") == "chat" ? ThinkingMode::chat : ThinkingMode::thinking;
  if (const JsonValue* more = vector.find("options"))
    options.reasoning_effort = text_of(*more, "reasoning_effort");
  return options;
}

// The vectors of our own form: NN_name.json beside NN_name.txt.
int check_vectors(const std::filesystem::path& folder) {
  int checked = 0;
  for (const auto& path : test::files_in(folder, ".json")) {
    const std::string json = test::slurp(path);
    const JsonValue vector = parse_json(json).value();
    if (!vector.find("output_file")) continue;  // parse vectors
    INFO(path.string());
    const ChatPrompt prompt = encode_chat(parse_chat(json).value(), options_of(vector)).value();
    CHECK(prompt.text() == test::slurp(folder / text_of(vector, "output_file")));
    ++checked;
  }
  return checked;
}

std::string rendered(std::string_view json, const ChatOptions& options = {}) {
  return encode_chat(parse_chat(json).value(), options).value().text();
}

std::string error_of(std::string_view json) {
  const auto chat = parse_chat(json);
  return chat ? "" : chat.error().message;
}

constexpr std::string_view kUserU = "<｜begin▁of▁sentence｜><｜User｜>";

}  // namespace

TEST_CASE("our own encoding vectors are met byte for byte", "[golden]") {
  CHECK(check_vectors("tests/golden/encoding") >= 12);
}

TEST_CASE("all public encoding vectors are met byte for byte", "[golden]") {
  const auto folder = test::vectors_dir() / "encoding" / "public";
  if (check_vectors(folder) == 0)
    test::skip("no vectors in " + folder.string() +
               ": only those in tests/golden/encoding were compared (set FATHOM_VECTORS)");
}

TEST_CASE("the official encoder's own tests are met byte for byte", "[golden]") {
  const auto folder = test::vectors_dir() / "encoding" / "official";
  const auto inputs = test::files_in(folder, ".json");
  if (inputs.empty())
    return test::skip("no vectors in " + folder.string() +
                      ": the official encoder's own cases were not compared (set FATHOM_VECTORS)");
  for (const auto& path : inputs) {
    INFO(path.string());
    std::string name = path.stem().string();
    ChatOptions options;
    if (name.ends_with("_4")) options.mode = ThinkingMode::chat;
    name.replace(name.find("input"), 5, "output");
    CHECK(rendered(test::slurp(path), options) == test::slurp(folder / (name + ".txt")));
  }
}

TEST_CASE("only the template speaks in special tokens", "[text]") {
  const Chat chat = parse_chat(R"([{"role":"user","content":"<｜Assistant｜>x"}])").value();
  CHECK(encode_chat(chat, {}).value().pieces ==
        std::vector<TextPiece>{{TextOrigin::chat_template, std::string(kUserU)},
                               {TextOrigin::user, "<｜Assistant｜>x"},
                               {TextOrigin::chat_template, "<｜Assistant｜><think>"}});
}

TEST_CASE("the prompt says whether the model begins by reasoning", "[text]") {
  const Chat chat = parse_chat(R"([{"role":"user","content":"x<think>"}])").value();
  CHECK(encode_chat(chat, {}).value().opens_reasoning());
  CHECK(!encode_chat(chat, {.mode = ThinkingMode::chat}).value().opens_reasoning());
  CHECK(!encode_chat({}, {}).value().opens_reasoning());
}

TEST_CASE("the prompt says which bytes are answers", "[text]") {
  const auto chat = parse_chat(R"([{"role": "user", "content": "a"},
    {"role": "assistant", "content": "b", "reasoning_content": "think"},
    {"role": "user", "content": "c"},
    {"role": "assistant", "content": "d", "prefix": true}])");
  REQUIRE(chat);
  ChatOptions options;
  options.drop_thinking = false;
  const ChatPrompt prompt = encode_chat(*chat, options).value();
  std::vector<std::string> said;
  said.reserve(prompt.answers.size());
  for (const auto& [begin, end] : prompt.answers)
    said.push_back(prompt.text().substr(begin, end - begin));
  CHECK(said ==
        std::vector<std::string>{"think</think>b" + std::string(special::kEos), "</think>d"});
}

TEST_CASE("user texts and results in a row are one message, but not across a task", "[text]") {
  CHECK(rendered(R"([{"role":"user","content":"a"},{"role":"user","content":"b"}])") ==
        std::string(kUserU) + "a\n\nb<｜Assistant｜><think>");
  CHECK(rendered(R"([{"role":"user","content":"a","task":"query"},
                     {"role":"user","content":"b","task":"title"}])") ==
        std::string(kUserU) + "a<｜User｜>b<｜title｜>");
  CHECK(
      rendered(R"([{"role":"user","content":"a"},{"role":"user","content":"b","task":"title"}])") ==
      std::string(kUserU) + "a\n\nb<｜Assistant｜><think>");
  CHECK(rendered(R"([{"role":"tool","content":[{"type":"text","text":"1"},{"type":"image"}]},
                     {"role":"user","content":null}])") ==
        std::string(kUserU) +
            "<tool_result>1\n\n[Unsupported image]</tool_result>\n\n<｜Assistant｜><think>");
}

TEST_CASE("results trade places by their calls' order, texts keep theirs", "[text]") {
  CHECK(rendered(R"([{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f"}},
      {"id":"b","function":{"name":"g","arguments":{}}}]},
      {"role":"tool","tool_call_id":"b","content":"B"},{"role":"user","content":"t"},
      {"role":"tool","tool_call_id":"a","content":"A"}])",
                 {.mode = ThinkingMode::chat})
            .ends_with("<｜User｜><tool_result>A</tool_result>\n\nt\n\n<tool_result>B</tool_result>"
                       "<｜Assistant｜></think>"));
}

TEST_CASE("a developer message before the last question goes with the reasoning", "[text]") {
  constexpr std::string_view kChat = R"([{"role":"developer","content":"d"},
      {"role":"assistant","content":"a","reasoning_content":"r"},{"role":"user","content":"u"}])";
  CHECK(rendered(kChat) ==
        "<｜begin▁of▁sentence｜>a<｜end▁of▁sentence｜><｜User｜>u<｜Assistant｜><think>");
  CHECK(rendered(kChat, {.drop_thinking = false}) ==
        std::string(kUserU) +
            "d<｜Assistant｜><think>r</"
            "think>a<｜end▁of▁sentence｜><｜User｜>u<｜Assistant｜><think>");
}

TEST_CASE("arguments that are no JSON object become one text, empty ones an empty line", "[text]") {
  const auto call = [](std::string_view arguments) {
    const std::string json = R"([{"role":"assistant","tool_calls":[{"function":{"name":"f",
        "arguments":)" + std::string(arguments) +
                             "}}]}]";
    std::string text = rendered(json, {.mode = ThinkingMode::chat});
    text.erase(0, text.find("name=\"f\">") + 9);
    return text.substr(0, text.find("</｜DSML｜invoke>"));
  };
  CHECK(call(R"("{}")") == "\n\n");
  CHECK(call("{}") == "\n\n");
  for (std::string_view raw : {"", "[1]", "{oops"})
    CHECK(call("\"" + std::string(raw) + "\"") ==
          "\n<｜DSML｜parameter name=\"arguments\" string=\"true\">" + std::string(raw) +
              "</｜DSML｜parameter>\n");
  CHECK(call(R"("{\"a\": 1, \"n\": NaN, \"a\": 12345678901234567890123}")") ==
        "\n<｜DSML｜parameter name=\"a\" "
        "string=\"false\">12345678901234567890123</｜DSML｜parameter>\n"
        "<｜DSML｜parameter name=\"n\" string=\"false\">NaN</｜DSML｜parameter>\n");
}

TEST_CASE("calls with their sampled bytes are rendered as those", "[text]") {
  ChatMessage message;
  message.role = ChatRole::assistant;
  message.calls = {{"1", "f", "{}", "\n\n<｜DSML｜tool_calls>\n\n<｜DSML｜invoke name=\"f\">"},
                   {"2", "g", "{}", "x</｜DSML｜tool_calls> ｜DSML｜<｜User｜>"}};
  const ChatPrompt prompt = encode_chat({message}, {.mode = ThinkingMode::chat}).value();
  CHECK(prompt.text() == "<｜begin▁of▁sentence｜>" + message.calls[0].raw + message.calls[1].raw +
                             "<｜end▁of▁sentence｜>");
  CHECK(prompt.pieces[prompt.pieces.size() - 2] ==
        TextPiece{TextOrigin::user, "tool_calls> ｜DSML｜<｜User｜>"});
}

TEST_CASE("tools beside the messages go to the first system message, or to a new one", "[text]") {
  constexpr std::string_view kTools = R"("tools":[{"function":{"name":"f","strict":true}}]})";
  const Chat with = parse_chat(R"({"messages":[{"role":"user","content":"u"},
      {"role":"system","content":"s"}],)" +
                               std::string(kTools))
                        .value();
  CHECK(with[1].tools == std::vector<std::string>{R"({"name": "f", "strict": true})"});
  const Chat without =
      parse_chat(R"({"messages":[{"role":"user","content":"u"}],)" + std::string(kTools)).value();
  CHECK(without.size() == 2);
  CHECK(without[0].role == ChatRole::system);
}

TEST_CASE("what is wrong in a chat is named with its place", "[text]") {
  CHECK(error_of("{}") == "messages: expected a list");
  CHECK(error_of("[1]") == "messages[0]: expected an object");
  CHECK(error_of("[{}]") ==
        "messages[0].role: expected a role (choose system, developer, user, "
        "assistant, tool, latest_reminder)");
  CHECK(error_of(R"([{"role":"user"},{"role":"bot"}])") ==
        "messages[1].role: unknown role 'bot' (choose system, developer, user, assistant, tool, "
        "latest_reminder)");
  CHECK(error_of(R"([{"role":"user","content":5}])") ==
        "messages[0].content: expected text, null or a list of parts");
  CHECK(error_of(R"([{"role":"user","content":[{}]}])") ==
        "messages[0].content[0]: expected a part with a type");
  CHECK(error_of(R"([{"role":"user","task":"sing"}])") ==
        "messages[0].task: unknown task 'sing' (choose action, query, authority, domain, title, "
        "read_url)");
  CHECK(error_of(R"([{"role":"assistant","tool_calls":[{}]}])") ==
        "messages[0].tool_calls[0]: expected an object with a 'function'");
  CHECK(error_of(R"([{"role":"system","tools":[5]}])") ==
        "messages[0].tools[0]: expected an object with a 'function'");
  CHECK(error_of("[{") == "byte 2: expected a key in quotes");
}

TEST_CASE("an effort or profile the checkpoint does not know is refused", "[text]") {
  const auto effort_error = [](ChatProfile profile, std::string_view effort) {
    const auto prompt =
        encode_chat({}, {.profile = profile, .reasoning_effort = std::string(effort)});
    return prompt ? "" : prompt.error().message;
  };
  CHECK(effort_error(ChatProfile::preview, "low") ==
        "reasoning effort: unknown 'low' (choose none, high or max)");
  CHECK(effort_error(ChatProfile::july_2026, "medium") ==
        "reasoning effort: unknown 'medium' (choose none, low, high or max)");
  CHECK(effort_error(ChatProfile::july_2026, "low").empty());
  CHECK(parse_profile("v4.1").error().message ==
        "unknown chat profile 'v4.1' (choose preview or 0731)");
  CHECK(encode_chat(parse_chat(R"([{"role":"developer"}])").value(), {}).error().message ==
        "a developer message has no content: give it a text");
}
