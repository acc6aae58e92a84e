#include "engine/session/local_prompt.hpp"

#include "engine/text/special_token.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tiny_checkpoint.hpp"

#include <algorithm>
#include <random>

using namespace fathom;
using namespace fathom::engine;

namespace {

constexpr std::int64_t kVocabulary = 600;

const Tokenizer& tokenizer() {
  static const Tokenizer bytes = test::TinyCheckpoint::tokenizer(kVocabulary);
  return bytes;
}

SessionSetup setup(std::string effort = "high") {
  SessionSetup out;
  out.system = "You help.";
  out.tools = {{"bash", "runs", R"({"type":"object","properties":{"command":{"type":"string"}}})"}};
  out.sampling.effort = std::move(effort);
  return out;
}

LocalPrompt prompt(const SessionSetup& of) {
  return LocalPrompt::create(of, ChatProfile::preview, tokenizer()).value();
}

Message user(std::string text) { return {Role::user, std::move(text), "", {}, {}}; }
Message answer(std::string text, std::string reasoning = "", std::vector<ToolCall> calls = {}) {
  return {Role::assistant, std::move(text), std::move(reasoning), std::move(calls), {}};
}
Message results(std::vector<ToolResult> of) { return {Role::tool, "", "", {}, std::move(of)}; }

constexpr std::string_view kRaw =
    "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"bash\">\n<｜DSML｜parameter name=\"command\" "
    "string=\"true\">ls</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>";

std::vector<ToolCall> call() {
  return {{"call-1", "bash", R"({"command":"ls"})", std::string(kRaw)}};
}

bool begins_with(std::span<const TokenId> tokens, std::span<const TokenId> with) {
  return tokens.size() >= with.size() && std::ranges::equal(tokens.first(with.size()), with);
}

std::vector<TokenId> copy(std::span<const TokenId> tokens) {
  return {tokens.begin(), tokens.end()};
}

}  // namespace

TEST_CASE("a request's tokens begin with those of the one before and what was sampled",
          "[local_session]") {
  LocalPrompt growing = prompt(setup());
  Transcript transcript{{user("list it")}, 0};
  REQUIRE(growing.render(transcript));
  CHECK(growing.opens_reasoning());
  CHECK(growing.tokens().size() == growing.stable_tokens() + 2);
  std::vector<TokenId> before = copy(growing.tokens());
  const std::string text(growing.text());
  // Not as a tokenizer would cut it: placeholders stand for several bytes, spelled one by one here.
  const std::string said = "hm</think>" + std::string(kRaw);
  const std::vector<TokenId> sampled = tokenizer().encode_template(said);
  growing.answered(sampled);
  transcript.messages.push_back(answer("", "hm", call()));
  transcript.messages.push_back(results({{"call-1", ToolStatus::ok, "a.txt", ""}}));
  REQUIRE(growing.render(transcript));
  before.insert(before.end(), sampled.begin(), sampled.end());
  CHECK(begins_with(growing.tokens(), before));
  CHECK(growing.text().starts_with(text + said + std::string(special::kEos)));
  CHECK(growing.tokens()[before.size()] == tokenizer().eos());
}

TEST_CASE("tokens that no tokenizer would give are kept as they were sampled", "[local_session]") {
  // The placeholder behind the special tokens has a text that its bytes can spell as well.
  const auto odd = static_cast<TokenId>(kVocabulary - 1);
  const std::string spelled(tokenizer().token_bytes(odd));
  const auto plain = tokenizer().encode(spelled);
  LocalPrompt growing = prompt(setup("none"));
  Transcript transcript{{user("say it")}, 0};
  REQUIRE(growing.render(transcript));
  const std::size_t size = growing.tokens().size();
  growing.answered({odd});
  transcript.messages.push_back(answer(spelled));
  transcript.messages.push_back(user("again"));
  LocalPrompt fresh = prompt(setup("none"));
  REQUIRE(growing.render(transcript));
  REQUIRE(fresh.render(transcript));
  CHECK(growing.text() == fresh.text());
  CHECK(growing.tokens()[size] == odd);
  if (plain.size() != 1) CHECK(fresh.tokens()[size] != odd);
}

TEST_CASE("an answer that was changed is tokenised as it stands", "[local_session]") {
  for (const std::string_view said : {"hello there", "hello", "", "\xff"}) {
    LocalPrompt growing = prompt(setup("none"));
    LocalPrompt fresh = prompt(setup("none"));
    Transcript transcript{{user("greet")}, 0};
    REQUIRE(growing.render(transcript));
    growing.answered(tokenizer().encode(said));
    transcript.messages.push_back(answer("hello the"));
    transcript.messages.push_back(user("go on"));
    REQUIRE(growing.render(transcript));
    REQUIRE(fresh.render(transcript));
    CHECK(copy(growing.tokens()) == copy(fresh.tokens()));
  }
}

TEST_CASE("whatever is appended, growing and rendering at once give the same", "[local_session]") {
  std::mt19937 random(3);
  for (int round = 0; round < 30; ++round) {
    const SessionSetup of = setup(round % 2 == 0 ? "none" : "max");
    LocalPrompt growing = prompt(of);
    Transcript transcript{{user("begin\n")}, 0};
    std::string stable;
    for (int step = 0; step < 8; ++step) {
      REQUIRE(growing.render(transcript));
      LocalPrompt fresh = prompt(of);
      REQUIRE(fresh.render(transcript));
      REQUIRE(growing.text() == fresh.text());
      REQUIRE(copy(growing.tokens()) == copy(fresh.tokens()));
      REQUIRE(tokenizer().decode(growing.tokens()) == growing.text());
      REQUIRE(std::ranges::equal(growing.starts(), fresh.starts()));
      REQUIRE(growing.starts().size() == transcript.messages.size());
      REQUIRE(growing.text().starts_with(stable));
      stable = growing.text().substr(0, growing.stable_bytes());
      // Where a message begins, what was there before it ends: its texts stand behind.
      for (std::size_t i = 0; i < transcript.messages.size(); ++i) {
        const Message& message = transcript.messages[i];
        const auto from = growing.starts()[i];
        const auto end =
            i + 1 < growing.starts().size() ? growing.starts()[i + 1] : growing.stable_bytes();
        REQUIRE(from < end);
        const auto part = growing.text().substr(from, end - from);
        REQUIRE(part.find(message.text) != std::string_view::npos);
        for (const ToolResult& result : message.results)
          REQUIRE(part.find(result.content) != std::string_view::npos);
      }
      switch (random() % 3) {
        case 0:
          transcript.messages.push_back(user("\nsteer " + std::to_string(step)));
          break;
        case 1:
          transcript.messages.push_back(answer("said " + std::to_string(step), "thought"));
          transcript.messages.push_back(user("more"));
          break;
        default:
          transcript.messages.push_back(answer("", "", call()));
          transcript.messages.push_back(
              results({{"call-1", ToolStatus::ok, "result " + std::to_string(step) + "\n", ""}}));
      }
    }
  }
}

TEST_CASE("a compaction is rendered anew", "[local_session]") {
  LocalPrompt growing = prompt(setup());
  REQUIRE(growing.render({{user("a"), answer("b"), user("c")}, 0}));
  LocalPrompt fresh = prompt(setup());
  const Transcript compacted{{user("a, b"), user("c")}, 1};
  REQUIRE(growing.render(compacted));
  REQUIRE(fresh.render(compacted));
  CHECK(copy(growing.tokens()) == copy(fresh.tokens()));
  CHECK(std::ranges::equal(growing.starts(), fresh.starts()));
}

TEST_CASE("a setup or transcript that cannot be rendered says why", "[local_session]") {
  const auto error = [](const SessionSetup& of) {
    const auto made = LocalPrompt::create(of, ChatProfile::preview, tokenizer());
    return made ? std::string("made") : made.error().message;
  };
  SessionSetup bad = setup("low");
  CHECK(error(bad).starts_with("reasoning effort: unknown 'low'"));
  bad = setup();
  bad.tools[0].parameters = "{";
  CHECK(error(bad).starts_with("tool 'bash': parameters: "));
  bad = setup();
  bad.answer_schema = "[";
  CHECK(error(bad).starts_with("answer schema: "));
  LocalPrompt growing = prompt(setup());
  CHECK_FALSE(growing.render({}));
  CHECK_FALSE(growing.render({{user("a"), answer("b")}, 0}));
}

TEST_CASE("tools that the model was trained on are declared but not rendered", "[local_session]") {
  SessionSetup of = setup();
  LocalPrompt with = prompt(of);
  of.tools_in_prompt = false;
  LocalPrompt without = prompt(of);
  REQUIRE(with.render({{user("a")}, 0}));
  REQUIRE(without.render({{user("a")}, 0}));
  CHECK(with.text().find(R"({"name": "bash", "description": "runs", "parameters": )") !=
        std::string_view::npos);
  CHECK(without.text().find("bash") == std::string_view::npos);
  CHECK(without.functions().size() == 1);
}
