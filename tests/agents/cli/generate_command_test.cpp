#include "agents/cli/generate_command.hpp"

#include "runtime/base/file.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/golden_model.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using test::ProgramResult;

namespace {

std::string joined(std::span<const std::int64_t> ids) {
  std::string out;
  for (const std::int64_t id : ids) out += (out.empty() ? "" : " ") + std::to_string(id);
  return out;
}

/// A folder with the tiny random model.
class TinyModel {
 public:
  TinyModel() { REQUIRE(test::fathom({"model", "random", path()}).exit_code == 0); }

  [[nodiscard]] std::string path() const { return (dir_ / "tiny").string(); }
  [[nodiscard]] ProgramResult generate(std::vector<std::string> args) const {
    args.insert(args.begin(), {"generate", "--model", path()});
    return test::fathom(args);
  }
  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    REQUIRE(write_file_atomic(dir_ / name, text, Sync::no));
    return (dir_ / name).string();
  }
  void check_failure(const std::vector<std::string>& args, int exit_code,
                     const std::string& message) const {
    const ProgramResult result = generate(args);
    CHECK(result.exit_code == exit_code);
    CHECK(result.err == "fathom: " + message + "\n");
    CHECK(result.out.empty());
  }

 private:
  test::TempDir dir_;
};

}  // namespace

TEST_CASE("ids in, the official model's ids out, and nothing else on standard output",
          "[agents][e2e]") {
  const test::Golden golden = test::Golden::load("tests/golden/v4/t1-mixed");
  const auto prompt =
      std::span(golden.ids).first(static_cast<std::size_t>(golden.greedy.prompt_tokens));
  const ProgramResult result =
      test::fathom({"generate", "--model", (golden.dir / "quant").string(), "--ids", joined(prompt),
                    "--print-ids", "--numerics", "exact", "--temperature", "0", "--ignore-eos",
                    "--max-tokens", std::to_string(golden.greedy.tokens.size())});
  CHECK(result.exit_code == 0);
  CHECK(result.out == joined(golden.greedy.tokens) + "\n");
  CHECK(result.err.empty());
}

TEST_CASE("a seed repeats an answer, with drafts and without", "[agents][e2e]") {
  const TinyModel model;
  const auto ids = [&](std::vector<std::string> more) {
    more.insert(more.begin(),
                {"a a a a a a a a", "--max-tokens", "40", "--ignore-eos", "--print-ids", "--seed"});
    return model.generate(more).out;
  };
  CHECK(ids({"7"}) == ids({"7", "--no-speculation", "--threads", "1"}));
  CHECK(ids({"7"}) != ids({"8"}));
}

TEST_CASE("an answer comes as text, or as one JSON object", "[agents][e2e]") {
  const TinyModel model;
  const ProgramResult result = model.generate({"--chat", "hello", "--json", "--max-tokens", "5"});
  CHECK(result.exit_code == 0);
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json.at("ids").size() == json.at("completion_tokens").get<std::size_t>());
  CHECK(json.at("finish_reason") == "length");
  const ProgramResult text = model.generate({"--chat", "hello", "--max-tokens", "5", "--stats"});
  CHECK(text.out.ends_with("\n"));
  CHECK(text.err.find("tokens/s") != std::string::npos);
  CHECK(text.err.find(" MB beside the weights") != std::string::npos);
}

TEST_CASE("an answer by a schema is JSON of that schema", "[agents][e2e]") {
  const TinyModel model;
  const std::string schema =
      model.file("schema.json",
                 R"({"type":"object","required":["ok"],"properties":{"ok":{"type":"boolean"}}})");
  for (const char* seed : {"1", "2", "3"}) {
    const ProgramResult result = model.generate({"hello", "--schema", schema, "--seed", seed});
    CHECK(result.exit_code == 0);
    CHECK(nlohmann::json::parse(result.out).at("ok").is_boolean());
  }
  model.check_failure({"hello", "--schema", model.file("bad.json", R"({"pattern":"x"})")}, 71,
                      model.file("bad.json", R"({"pattern":"x"})") +
                          ": schema: unsupported keyword 'pattern' (no grammar expresses it: "
                          "leave it out)");
  CHECK(
      model.generate({"hello", "--schema", "/nowhere"}).err.starts_with("fathom: read /nowhere:"));
}

TEST_CASE("tools are offered, and their calls are read from the answer", "[agents][e2e]") {
  const TinyModel model;
  const std::string tools = model.file("tools.json", R"([{"type":"function",
      "function":{"name":"ls","parameters":{"type":"object",
      "properties":{"all":{"type":"boolean"}},"required":["all"]}}}])");
  const ProgramResult called = model.generate({"--chat", "list", "--tools", tools, "--must-call",
                                               "--think", "--json", "--max-tokens", "4000"});
  CHECK(called.exit_code == 0);
  const auto json = nlohmann::json::parse(called.out);
  const auto& message = json.at("message");
  CHECK(message.at("finish_reason") == "tool_calls");
  CHECK(message.at("reasoning") != "");
  REQUIRE(!message.at("tool_calls").empty());
  CHECK(message.at("tool_calls").at(0).at("name") == "ls");
  const auto arguments =
      nlohmann::json::parse(message.at("tool_calls").at(0).at("arguments").get<std::string>());
  CHECK(arguments.at("all").is_boolean());
  CHECK(json.at("drafts").at("grammar").at("accepted") > 10);
  // Free to call or not, random weights do not.
  const ProgramResult free = model.generate({"--chat", "list", "--tools", tools, "--json"});
  CHECK(nlohmann::json::parse(free.out).at("message").at("tool_calls").empty());
  model.check_failure({"--chat", "x", "--must-call"}, 64, "--must-call needs --tools");
  CHECK(model.generate({"--chat", "x", "--tools", model.file("no.json", "nonsense")})
            .err.ends_with("no.json: is not JSON\n"));
}

TEST_CASE("a text is filled in between a beginning and an end", "[agents][e2e]") {
  const TinyModel model;
  const ProgramResult result =
      model.generate({"def f(", "--suffix", "return x", "--json", "--max-tokens", "3"});
  CHECK(result.exit_code == 0);
  // Begin of sentence, three markers and fourteen bytes.
  CHECK(nlohmann::json::parse(result.out).at("prompt_tokens") == 18);
}

TEST_CASE("a prompt too long for a command line is read from a file", "[agents][e2e]") {
  const TinyModel model;
  const std::string prompt(20'000, 'x');
  const ProgramResult result = model.generate(
      {"--prompt-file", model.file("prompt.txt", prompt), "--json", "--max-tokens", "1"});
  CHECK(result.exit_code == 0);
  CHECK(nlohmann::json::parse(result.out).at("prompt_tokens") == 20'001);
}

TEST_CASE("a tokenizer of another model is refused", "[agents][e2e]") {
  const TinyModel model;
  const auto path = std::filesystem::path(model.path()) / "tokenizer.json";
  auto json = nlohmann::json::parse(test::slurp(path));
  std::swap(json["added_tokens"][0]["content"], json["added_tokens"][1]["content"]);
  REQUIRE(write_file_atomic(path, json.dump(), Sync::no));
  model.check_failure({"hi"}, 65,
                      path.string() +
                          ": its begin of sentence is token 1, config.json's 0: it belongs to "
                          "another model");
}

TEST_CASE("what generate cannot do is said in one line before any work", "[agents][e2e]") {
  const TinyModel model;
  model.check_failure({}, 64, "give a prompt, or token ids with --ids \"0 5 9\"");
  model.check_failure({"--ids", "1 x"}, 64, "--ids: 'x' is not a token id");
  model.check_failure({"--ids", "1 9999"}, 64,
                      "token id 9999 is not in the vocabulary: the model has 0 to 511");
  model.check_failure({"hi", "--ids", "1"}, 64,
                      "--ids stands alone: without a prompt, --chat and --suffix");
  model.check_failure({"hi", "--think"}, 64, "--think needs --chat");
  model.check_failure({"hi", "--profile", "0731"}, 64, "--profile needs --chat");
  model.check_failure({"--chat", "hi", "--effort", "high"}, 64, "--effort needs --think");
  model.check_failure({"hi", "--prompt-file", "x"}, 64, "choose PROMPT or --prompt-file");
  const std::string none = model.file("none.json", "[]");
  model.check_failure({"--chat", "hi", "--tools", none, "--must-call"}, 64,
                      none + " has no tool that could be called");
  CHECK(model.generate({"hi", "--json", "--print-ids"}).exit_code == 64);
  model.check_failure({"hi", "--tools", "x"}, 64, "--tools needs --chat");
  model.check_failure({"--chat", "hi", "--suffix", "x"}, 64,
                      "--suffix fills in the middle of a text: without --chat");
  model.check_failure({"hi", "--temperature", "9"}, 64, "temperature: 9 is not in 0 … 2");
  model.check_failure({"--chat", "hi", "--profile", "foo"}, 64,
                      "unknown chat profile 'foo' (choose preview or 0731)");
  model.check_failure({"\xff"}, 65,
                      "the prompt is not valid UTF-8: convert it, for example with iconv -t UTF-8");
  CHECK(model.generate({std::string(70000, 'x')}).err ==
        "fathom: the prompt has 70001 tokens: the model's context is 65536, and an answer needs "
        "room\n");
}
