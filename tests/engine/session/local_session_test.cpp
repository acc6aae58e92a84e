#include "engine/session/local_session.hpp"

#include "engine/session/local_timeline.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tiny_checkpoint.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <fstream>
#include <functional>

using namespace fathom;
using namespace fathom::engine;

namespace {

Message user(std::string text) { return {Role::user, std::move(text), "", {}, {}}; }

/// One engine on the tiny random model. What it says is noise, so answers whose text matters are
/// held to a schema.
class Rig {
 public:
  Rig() {
    const auto size = static_cast<std::size_t>(named_shape("tiny").value().vocab_size);
    std::ofstream(checkpoint_.path() / "tokenizer.json")
        << to_tokenizer_json(byte_tokenizer(size).value());
    engine_ = LocalChatEngine::open({EngineSpec::Kind::local, checkpoint_.path().string(), ""},
                                    checkpoint_.path(), {.threads = 1})
                  .value();
  }

  static SessionSetup setup() {
    SessionSetup out;
    out.system = "You help.";
    out.tools = {
        {"bash", "runs", R"({"type":"object","properties":{"command":{"type":"string"}}})"}};
    out.sampling.effort = "none";
    out.sampling.seed = 7;
    out.sampling.answer_tokens_max = 40;
    return out;
  }
  /// Answers one of some words.
  static SessionSetup words() {
    SessionSetup out = setup();
    out.tools.clear();
    out.answer_schema = R"({"enum":["alpha","beta and gamma","delta","epsilon or so"]})";
    return out;
  }

  std::unique_ptr<Session> open(const SessionSetup& of) { return engine_->open(of).value(); }
  Engine& engine() { return *engine_; }
  [[nodiscard]] std::filesystem::path path() const { return checkpoint_.path(); }

  /// What `session` answers; nothing when it was cancelled, which `observer` may do by `cancel`.
  std::optional<SampleOutcome> sample(Session& session, const SampleObserver& observer = {}) {
    std::optional<SampleOutcome> out;
    asio::io_context io(1);
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          auto sampling = session.sample(observer);
          out = co_await std::move(sampling);
        },
        asio::bind_cancellation_slot(cancel.slot(), [](const std::exception_ptr&) {}));
    io.run();
    // What the engine still posts must find its executor: the next use waits for the engine.
    if (!out) (void)session.fork();
    return out;
  }

  Answered ask(Session& session, const Transcript& transcript, const RequestLimits& limits = {}) {
    const auto prepared = session.prepare(transcript, limits);
    REQUIRE(prepared);
    auto outcome = sample(session);
    REQUIRE(outcome);
    REQUIRE(*outcome);
    return **std::move(outcome);
  }

  asio::cancellation_signal cancel;

 private:
  test::TinyCheckpoint checkpoint_;
  std::unique_ptr<Engine> engine_;
};

bool same(const Answered& a, const Answered& b) {
  return a.sample.message == b.sample.message && a.sample.finish == b.sample.finish &&
         a.usage.prompt_tokens == b.usage.prompt_tokens &&
         a.usage.completion_tokens == b.usage.completion_tokens;
}

}  // namespace

TEST_CASE("a session that goes on reads only what is new and says what a fresh one says",
          "[local_session]") {
  Rig rig;
  const auto session = rig.open(Rig::words());
  Transcript transcript;
  std::uint64_t resident = 0;
  for (int turn = 0; turn < 5; ++turn) {
    transcript.messages.push_back(user("question " + std::to_string(turn)));
    const Answered answer = rig.ask(*session, transcript);
    CHECK(answer.sample.finish == FinishReason::stop);
    CHECK(answer.usage.reused_tokens == resident);
    // All of the prompt and the answer, whose end of sentence the model has not read.
    resident = answer.usage.prompt_tokens + answer.usage.completion_tokens;
    const auto fresh = rig.open(Rig::words());
    const Answered again = rig.ask(*fresh, transcript);
    CHECK(same(answer, again));
    CHECK(again.usage.reused_tokens == 0);
    transcript.messages.push_back(answer.sample.message);
  }
}

TEST_CASE("calls and results go on in the same tokens", "[local_session]") {
  Rig rig;
  SessionSetup of = Rig::setup();
  of.answer_schema = Rig::words().answer_schema;
  of.tools_in_prompt = false;
  const auto session = rig.open(of);
  const std::string raw =
      "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"bash\">\n<｜DSML｜parameter "
      "name=\"command\" string=\"true\">ls</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜"
      "tool_calls>";
  Transcript transcript{{user("list")}, 0};
  const RequestLimits words{.may_call = false};
  transcript.messages.push_back(rig.ask(*session, transcript, words).sample.message);
  for (int step = 1; step < 4; ++step) {
    const std::string id = "call-" + std::to_string(step);
    transcript.messages.push_back(user("next"));
    transcript.messages.push_back(
        {Role::assistant, "", "", {{id, "bash", R"({"command":"ls"})", raw}}, {}});
    transcript.messages.push_back(
        {Role::tool, "", "", {}, {{id, ToolStatus::ok, "a.txt " + id, ""}}});
    const Answered answer = rig.ask(*session, transcript, words);
    const auto fresh = rig.open(of);
    CHECK(same(answer, rig.ask(*fresh, transcript, words)));
    CHECK(answer.usage.reused_tokens > 0);
    transcript.messages.push_back(answer.sample.message);
  }
}

TEST_CASE("a request can narrow what a call may be, and changes nothing that is read",
          "[local_session]") {
  Rig rig;
  SessionSetup of = Rig::setup();
  of.sampling.answer_tokens_max = 8'000;
  const auto form = [](const std::string& command, const std::string& also) {
    return R"({"type":"object","properties":{"command":{"const":")" + command +
           R"("},"also":{"const":")" + also + R"("}},"required":["command","also"]})";
  };
  const Transcript transcript{{user("list")}, 0};
  RequestLimits narrow;
  narrow.must_call = true;
  narrow.forms = {{"bash", {form("ls", "one"), form("pwd", "two")}}};
  const auto session = rig.open(of);
  const std::string read(session->prepare(transcript, {})->body);
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    narrow.seed = seed;
    CHECK(session->prepare(transcript, narrow)->body == read);
    const Answered answer = rig.ask(*session, transcript, narrow);
    REQUIRE_FALSE(answer.sample.message.calls.empty());
    for (const ToolCall& call : answer.sample.message.calls) {
      INFO(call.arguments);
      const bool first = call.arguments.contains("ls") && call.arguments.contains("one");
      const bool second = call.arguments.contains("pwd") && call.arguments.contains("two");
      CHECK(first != second);
    }
  }
  narrow.forms = {{"nowhere", {form("ls", "one")}}};
  const auto refused = session->prepare(transcript, narrow);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == FaultClass::refused);
  CHECK(refused.error().message.contains("'nowhere'"));
}

TEST_CASE("an answer cancelled at any token is asked for again and comes out the same",
          "[local_session]") {
  Rig rig;
  SessionSetup of = Rig::setup();
  of.tools.clear();
  of.sampling.answer_tokens_max = 16;
  Transcript transcript{{user(std::string(LocalTimeline::kCheckpointTokensMin + 50, 'x'))}, 0};
  const auto whole = rig.open(of);
  const Answered expected = rig.ask(*whole, transcript);
  for (const int after : {1, 2, 7}) {
    for (const bool in_prompt : {true, false}) {
      const auto session = rig.open(of);
      REQUIRE(session->prepare(transcript, {}));
      int heard = 0;
      const auto stop = [&] {
        if (++heard == after) rig.cancel.emit(asio::cancellation_type::terminal);
      };
      SampleObserver observer;
      if (in_prompt)
        observer.on_prefill = [&](std::uint64_t, std::uint64_t) { stop(); };
      else
        observer.on_delta = [&](const SampleDelta&) { stop(); };
      const auto cancelled = rig.sample(*session, observer);
      // The same frozen request, then the same transcript prepared again.
      const auto again = rig.sample(*session);
      REQUIRE(again);
      REQUIRE(*again);
      CHECK(same(**again, expected));
      CHECK(same(rig.ask(*session, transcript), expected));
      if (in_prompt && after == 1) CHECK_FALSE(cancelled);
    }
  }
}

TEST_CASE("a prompt is not read again when its answer is taken back or replaced",
          "[local_session]") {
  Rig rig;
  SessionSetup of = Rig::setup();
  of.tools.clear();
  // More than a KV can take back by itself; the noise ends by itself under most seeds.
  of.sampling.answer_tokens_max = LiveKv::kRollbackTokensMax + 20;
  Transcript transcript{{user(std::string(LocalTimeline::kCheckpointTokensMin + 20, 'x'))}, 0};
  std::unique_ptr<Session> session;
  Answered answer;
  for (of.sampling.seed = 1; answer.usage.completion_tokens <= LiveKv::kRollbackTokensMax;
       ++*of.sampling.seed) {
    REQUIRE(*of.sampling.seed < 50);
    session = rig.open(of);
    answer = rig.ask(*session, transcript);
  }
  --*of.sampling.seed;
  transcript.messages.push_back({Role::assistant, "something else", "", {}, {}});
  transcript.messages.push_back(user("go on"));
  const auto prepared = session->prepare(transcript, {});
  REQUIRE(prepared);
  // All but the two tokens that open the answer.
  CHECK(prepared->resident_tokens == answer.usage.prompt_tokens - 2);
  const auto again = rig.sample(*session);
  const auto fresh = rig.open(of);
  CHECK(same(**again, rig.ask(*fresh, transcript)));
}

TEST_CASE("a fork shares what is resident and goes its own way", "[local_session]") {
  Rig rig;
  const auto session = rig.open(Rig::words());
  Transcript transcript{{user("question")}, 0};
  transcript.messages.push_back(rig.ask(*session, transcript).sample.message);
  const auto fork = session->fork().value();
  Transcript left = transcript;
  Transcript right = transcript;
  for (int turn = 0; turn < 3; ++turn) {
    left.messages.push_back(user("to the left"));
    right.messages.push_back(user("to the right, " + std::to_string(turn)));
    const Answered one = rig.ask(*session, left);
    const Answered other = rig.ask(*fork, right);
    CHECK(one.usage.reused_tokens > 0);
    CHECK(other.usage.reused_tokens > 0);
    CHECK(same(one, rig.ask(*rig.open(Rig::words()), left)));
    CHECK(same(other, rig.ask(*rig.open(Rig::words()), right)));
    left.messages.push_back(one.sample.message);
    right.messages.push_back(other.sample.message);
  }
}

TEST_CASE("the deltas of an answer join to it, and progress ends with the prompt",
          "[local_session]") {
  Rig rig;
  SessionSetup of = Rig::setup();
  of.sampling.effort = "high";
  const auto session = rig.open(of);
  const Transcript transcript{{user(std::string(600, 'x'))}, 0};
  REQUIRE(session->prepare(transcript, {}));
  std::string text;
  std::string reasoning;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  SampleObserver observer;
  observer.on_delta = [&](const SampleDelta& delta) {
    if (delta.kind == SampleDelta::Kind::content) text += delta.text;
    if (delta.kind == SampleDelta::Kind::reasoning) reasoning += delta.text;
  };
  observer.on_prefill = [&](std::uint64_t now, std::uint64_t of_all) {
    CHECK(now >= done);
    done = now;
    total = of_all;
  };
  const auto outcome = rig.sample(*session, observer);
  REQUIRE(outcome);
  REQUIRE(*outcome);
  const Answered& answer = **outcome;
  CHECK(text == answer.sample.message.text);
  CHECK(reasoning == answer.sample.message.reasoning);
  CHECK(answer.sample.finish == FinishReason::length);
  CHECK(answer.usage.completion_tokens == 40);
  CHECK(answer.usage.reasoning_tokens > 0);
  CHECK(done == answer.usage.prompt_tokens);
  CHECK(total == answer.usage.prompt_tokens);
}

TEST_CASE("what does not fit into the context is an overflow before it is asked",
          "[local_session]") {
  Rig rig;
  const auto session = rig.open(Rig::setup());
  const Transcript transcript{{user(std::string(rig.engine().info().context_tokens, 'x'))}, 0};
  const auto prepared = session->prepare(transcript, {});
  REQUIRE_FALSE(prepared);
  CHECK(prepared.error().kind == FaultClass::overflow);
  CHECK(prepared.error().message.starts_with("local:"));
  CHECK(rig.ask(*session, {{user("short")}, 0}).usage.completion_tokens > 0);
}

TEST_CASE("a setup that the engine cannot do is refused at opening", "[local_session]") {
  Rig rig;
  SessionSetup bad = Rig::setup();
  bad.sampling.temperature = 3;
  CHECK(rig.engine().open(bad).error().message.starts_with("temperature: "));
  bad = Rig::setup();
  bad.sampling.effort = "low";
  CHECK_FALSE(rig.engine().open(bad));
  bad = Rig::setup();
  bad.answer_schema = R"({"type":"nothing"})";
  CHECK(rig.engine().open(bad).error().message.starts_with("answer schema: "));
  std::filesystem::remove(rig.path() / "tokenizer.json");
  const auto engine = LocalChatEngine::open({EngineSpec::Kind::local, rig.path().string(), ""},
                                            rig.path(), {.threads = 1});
  REQUIRE_FALSE(engine);
  CHECK(engine.error().message.find("tokenizer.json") != std::string::npos);
}
