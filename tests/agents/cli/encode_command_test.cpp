#include "agents/cli/encode_command.hpp"

#include "engine/session/local_prompt.hpp"
#include "runtime/base/file.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using namespace fathom::engine;
using nlohmann::json;
using test::ProgramResult;

namespace {

constexpr std::string_view kParameters =
    R"({"type": "object", "properties": {"command": {"type": "string"}}})";

/// What a session reads and says in two turns, as messages of the API and as its transcript.
struct Talk {
  SessionSetup setup;
  Transcript transcript;
  nlohmann::ordered_json chat;

  Talk() {
    setup.system = "You help.";
    setup.tools = {{"bash", "Runs a command", std::string(kParameters)}};
    transcript.messages = {
        {Role::user, "tidy <｜User｜> up", "", {}, {}},
        {Role::assistant, "Looking.", "First I look.", {call()}, {}},
        {Role::tool, "", "", {}, {{"1", ToolStatus::ok, "a.txt\nnaïve.txt", ""}}},
        {Role::assistant, "Two files.", "There are two.", {}, {}},
        {Role::user, "thanks", "", {}, {}},
    };
    chat["tools"] = nlohmann::ordered_json::array(
        {{{"type", "function"},
          {"function", nlohmann::ordered_json::parse(
                           R"({"name": "bash", "description": "Runs a command", "parameters": )" +
                           std::string(kParameters) + "}")}}});
    chat["messages"] = nlohmann::ordered_json::array(
        {{{"role", "system"}, {"content", "You help."}},
         {{"role", "user"}, {"content", "tidy <｜User｜> up"}},
         {{"role", "assistant"},
          {"reasoning_content", "First I look."},
          {"content", "Looking."},
          {"tool_calls",
           {{{"id", "1"},
             {"function", {{"name", "bash"}, {"arguments", R"({"command": "ls"})"}}}}}}},
         {{"role", "tool"}, {"tool_call_id", "1"}, {"content", "a.txt\nnaïve.txt"}},
         {{"role", "assistant"},
          {"reasoning_content", "There are two."},
          {"content", "Two files."}},
         {{"role", "user"}, {"content", "thanks"}}});
  }
  static ToolCall call() { return {"1", "bash", R"({"command": "ls"})", ""}; }
};

class Encoder {
 public:
  Encoder() { REQUIRE(test::fathom({"model", "random", model()}).exit_code == 0); }

  [[nodiscard]] std::string model() const { return (dir_ / "tiny").string(); }
  [[nodiscard]] ProgramResult run(const std::string& input, std::vector<std::string> args) const {
    REQUIRE(write_file_atomic(dir_ / "chats", input, Sync::no));
    args.insert(args.begin(), {"encode", "--tokenizer", model(), (dir_ / "chats").string()});
    return test::fathom(args);
  }
  [[nodiscard]] json ids(const std::string& chat) const {
    const ProgramResult result = run(chat, {});
    REQUIRE(result.err.empty());
    return json::parse(result.out);
  }
  void check_failure(const std::string& input, const std::vector<std::string>& args, int code,
                     const std::string& message) const {
    const ProgramResult result = run(input, args);
    CHECK(result.exit_code == code);
    CHECK(result.err == "fathom: " + (message.starts_with("--") ? "" : path()) + message + "\n");
  }
  [[nodiscard]] std::string path() const { return (dir_ / "chats").string(); }

 private:
  test::TempDir dir_;
};

}  // namespace

TEST_CASE("a chat is encoded as a session renders it", "[agents][e2e]") {
  const Encoder encoder;
  const Talk talk;
  const Tokenizer tokenizer = Tokenizer::load(encoder.model() + "/tokenizer.json").value();
  LocalPrompt prompt = LocalPrompt::create(talk.setup, ChatProfile::preview, tokenizer).value();
  REQUIRE(prompt.render(talk.transcript));
  CHECK(encoder.run(talk.chat.dump(), {"--text"}).out == prompt.text());
  CHECK(encoder.ids(talk.chat.dump())["ids"].get<std::vector<TokenId>>() ==
        std::vector<TokenId>(prompt.tokens().begin(), prompt.tokens().end()));
}

TEST_CASE("answers are what the model itself says, to the end of sentence", "[agents][e2e]") {
  const Encoder encoder;
  Talk talk;
  const Tokenizer tokenizer = Tokenizer::load(encoder.model() + "/tokenizer.json").value();
  const auto said = [&](const json& encoded) {
    const auto ids = encoded["ids"].get<std::vector<TokenId>>();
    std::vector<std::string> out;
    for (const auto& [begin, end] :
         encoded["answers"].get<std::vector<std::pair<std::size_t, std::size_t>>>())
      out.push_back(tokenizer.decode(std::span(ids).subspan(begin, end - begin)));
    return out;
  };
  const std::string last = "There are two.</think>Two files.<｜end▁of▁sentence｜>";
  CHECK(said(encoder.ids(talk.chat.dump())) ==
        std::vector<std::string>{
            "First I look.</think>Looking.\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke "
            "name=\"bash\">\n<｜DSML｜parameter name=\"command\" string=\"true\">ls"
            "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls><｜end▁of▁sentence｜>",
            last});
  talk.chat["messages"][2]["train"] = false;
  CHECK(said(encoder.ids(talk.chat.dump())) == std::vector<std::string>{last});
}

TEST_CASE("with --jsonl every line is a chat and has its line of ids", "[agents][e2e]") {
  const Encoder encoder;
  const std::string one = R"([{"role": "user", "content": "a"}])";
  const std::string two = R"({"messages": [{"role": "user", "content": "b"}]})";
  const ProgramResult both = encoder.run(one + "\n\n" + two, {"--jsonl"});
  CHECK(both.exit_code == 0);
  CHECK(both.out == encoder.run(one, {}).out + encoder.run(two, {}).out);
  encoder.check_failure(one + "\n{}\n", {"--jsonl"}, 65, ", line 2: messages: expected a list");
}

TEST_CASE("what cannot be encoded is named", "[agents][e2e]") {
  const Encoder encoder;
  encoder.check_failure(R"([{"role": "bot"}])", {}, 65,
                        ": messages[0].role: unknown role 'bot' (choose system, developer, user, "
                        "assistant, tool, latest_reminder)");
  encoder.check_failure(R"([{"role": "assistant", "content": "a", "train": 1}])", {}, 65,
                        ": messages[0].train: expected true or false");
  const ProgramResult no_effort = encoder.run("[]", {"--effort", "huge"});
  CHECK(no_effort.exit_code == 65);
  CHECK(no_effort.err.find("unknown 'huge'") != std::string::npos);
  const ProgramResult nothing = test::fathom({"encode", "--tokenizer", "/no/where", "/no/chat"});
  CHECK(nothing.exit_code == 66);
  CHECK(nothing.err.find("/no/where") != std::string::npos);
}
