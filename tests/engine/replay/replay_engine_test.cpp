#include "engine/replay/replay_engine.hpp"

#include "engine/session/session_events.hpp"
#include "runtime/trace/event_json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

using namespace fathom;
using namespace fathom::engine;

namespace {

Message user(std::string text) { return {Role::user, std::move(text), "", {}, {}}; }

ModelAnswered answered(std::string text, std::vector<ToolCall> calls = {}) {
  ModelAnswered out;
  out.message = {Role::assistant, std::move(text), "because", std::move(calls), {}};
  out.end = out.message.calls.empty() ? AnswerEnd::stop : AnswerEnd::tool_calls;
  out.usage = {100, 60, 9, 2};
  out.model = "v4";
  return out;
}

/// A journal as a run leaves it, with its blobs beside its folder.
class Journal {
 public:
  Journal() : blobs_(trace::BlobStore::open(dir_ / "blobs").value()) {}

  void add(const SessionEvent& event) {
    trace::Event line;
    line.stream = "main";
    line.at.seq = ++seq_;
    line.what = encode(event, blobs_).value();
    REQUIRE(codec_.append(lines_, line));
  }
  [[nodiscard]] EngineSpec spec(std::string match = "") const {
    const auto file = dir_.write("journals/run.jsonl", lines_);
    return {EngineSpec::Kind::replay, file.string(), std::move(match)};
  }
  [[nodiscard]] std::unique_ptr<Engine> engine(std::string match = "") const {
    return ReplayEngine::open(spec(std::move(match))).value();
  }
  [[nodiscard]] const test::TempDir& dir() const { return dir_; }

 private:
  test::TempDir dir_;
  trace::BlobStore blobs_;
  trace::EventCodec codec_;
  std::string lines_;
  std::uint64_t seq_ = 0;
};

std::unique_ptr<Session> open(Engine& engine) {
  SessionSetup setup;
  setup.system = "You help.";
  return engine.open(setup).value();
}

struct Asked {
  SampleOutcome outcome;
  std::vector<SampleDelta> deltas;
};

Asked ask(Session& session, const Transcript& transcript) {
  Asked out;
  const auto prepared = session.prepare(transcript, {});
  if (!prepared) return {std::unexpected(prepared.error()), {}};
  test::run_coro([&](Simulator&) -> asio::awaitable<void> {
    const SampleObserver observer{[&](const SampleDelta& delta) { out.deltas.push_back(delta); },
                                  {}};
    auto sampling = session.sample(observer);
    out.outcome = co_await std::move(sampling);
  });
  return out;
}

/// Two turns, a tool's long result, a compaction between them.
const std::vector<ToolCall> kCalls = {{"call-1", "bash", R"({"command":"ls"})", "raw bytes"}};
const ToolResult kResult{"call-1", ToolStatus::ok, std::string(20'000, 'r'), ""};

class Recorded : public Journal {
 public:
  Recorded() {
    AgentStarted agent;
    agent.model = "v4";
    add(agent);
    add(UserSaid{UserSaid::How::turn, "list it", "", 1});
    add(answered("I look", kCalls));
    add(CallFinished{kResult});
    add(answered("done"));
    add(Compacted{{{user("in short: listed")}, 1}});
    add(UserSaid{UserSaid::How::turn, "more", "", 2});
    add(answered("no more"));
  }
};

}  // namespace

TEST_CASE("a journal is replayed answer by answer, over a compaction", "[replay]") {
  const Recorded journal;
  const auto engine = journal.engine();
  CHECK(engine->info().model == "v4");
  const auto session = open(*engine);
  Transcript transcript{{user("list it")}, 0};
  const Asked first = ask(*session, transcript);
  REQUIRE(first.outcome);
  CHECK(first.outcome->sample.message == answered("I look", kCalls).message);
  CHECK(first.outcome->sample.finish == FinishReason::tool_calls);
  CHECK(first.outcome->usage == Usage{100, 60, 9, 2});
  CHECK(first.outcome->model == "v4");
  transcript.messages.push_back(first.outcome->sample.message);
  transcript.messages.push_back({Role::tool, "", "", {}, {kResult}});
  const Asked second = ask(*session, transcript);
  REQUIRE(second.outcome);
  CHECK(second.outcome->sample.message.text == "done");
  const Asked third = ask(*session, {{user("in short: listed"), user("more")}, 1});
  REQUIRE(third.outcome);
  CHECK(third.outcome->sample.message.text == "no more");
  const Asked behind = ask(*session, {{user("in short: listed"), user("more")}, 1});
  REQUIRE_FALSE(behind.outcome);
  CHECK(behind.outcome.error().kind == FaultClass::refused);
  CHECK(behind.outcome.error().message.ends_with("run.jsonl: the recording ends after 3 answers"));
}

TEST_CASE("an answer is streamed in pieces that join to it", "[replay]") {
  const Recorded journal;
  const auto engine = journal.engine();
  const auto session = open(*engine);
  const Asked asked = ask(*session, {{user("list it")}, 0});
  std::string reasoning;
  std::string text;
  std::string arguments;
  std::vector<std::string> calls;
  for (const SampleDelta& delta : asked.deltas) {
    using Kind = SampleDelta::Kind;
    if (delta.kind == Kind::reasoning) reasoning += delta.text;
    if (delta.kind == Kind::content) text += delta.text;
    if (delta.kind == Kind::call_started) calls.push_back(delta.text);
    if (delta.kind == Kind::call_arguments) arguments += delta.text;
  }
  CHECK(reasoning == "because");
  CHECK(text == "I look");
  CHECK(calls == std::vector<std::string>{"bash"});
  CHECK(arguments == R"({"command":"ls"})");
  CHECK(asked.deltas.back().kind == SampleDelta::Kind::call_finished);
}

TEST_CASE("a request that is not the recorded one is refused before it is sent", "[replay]") {
  const Recorded journal;
  const auto strict = journal.engine();
  const auto session = open(*strict);
  const auto other = session->prepare({{user("list that")}, 0}, {});
  REQUIRE_FALSE(other);
  CHECK(other.error().kind == FaultClass::refused);
  CHECK(other.error().message.ends_with(
      "run.jsonl: request 1: message 1 (user): text differs at byte 5: recorded 'list it', now "
      "'list that'"));
  const auto loose = journal.engine("loose");
  CHECK(open(*loose)->prepare({{user("list that")}, 0}, {}));
  CHECK_FALSE(open(*loose)->prepare({{user("list it"), user("and more")}, 0}, {}));
}

TEST_CASE("each request repeats the one before it but for what closes it", "[replay]") {
  const Recorded journal;
  const auto engine = journal.engine();
  const auto session = open(*engine);
  Transcript transcript{{user("list it")}, 0};
  const auto first = session->prepare(transcript, {}).value();
  const std::string before(first.body.substr(0, first.stable_bytes));
  CHECK(first.starts.size() == 1);
  CHECK(first.body.substr(first.starts[0]).starts_with(R"({"role":"user")"));
  (void)ask(*session, transcript);
  transcript.messages.push_back(answered("I look", kCalls).message);
  transcript.messages.push_back({Role::tool, "", "", {}, {kResult}});
  const auto second = session->prepare(transcript, {.may_call = false}).value();
  CHECK(second.body.starts_with(before));
  CHECK(second.stable_bytes > before.size());
  CHECK(second.body.ends_with(R"("may_call":false})"));
  REQUIRE(second.starts.size() == 3);
  CHECK(second.body.substr(second.starts[2]).starts_with(R"({"role":"tool")"));
}

TEST_CASE("a fork goes on from where its parent is, and the parent too", "[replay]") {
  const Recorded journal;
  const auto engine = journal.engine();
  const auto session = open(*engine);
  Transcript transcript{{user("list it")}, 0};
  transcript.messages.push_back(ask(*session, transcript).outcome->sample.message);
  transcript.messages.push_back({Role::tool, "", "", {}, {kResult}});
  const auto fork = session->fork().value();
  CHECK(ask(*fork, transcript).outcome->sample.message.text == "done");
  CHECK(ask(*session, transcript).outcome->sample.message.text == "done");
}

TEST_CASE("a cancelled sample is given again", "[replay]") {
  const Recorded journal;
  const auto engine = journal.engine();
  for (std::uint64_t steps = 1; steps < 6; ++steps) {
    const auto session = open(*engine);
    REQUIRE(session->prepare({{user("list it")}, 0}, {}));
    Simulator simulator(1);
    asio::cancellation_signal cancel;
    bool failed = false;
    bool ended = false;
    asio::co_spawn(
        simulator.executor(),
        [&]() -> asio::awaitable<void> {
          const SampleObserver nobody;
          auto sampling = session->sample(nobody);
          (void)co_await std::move(sampling);
          ended = true;
        },
        asio::bind_cancellation_slot(cancel.slot(),
                                     [&](const std::exception_ptr& error) { failed = !!error; }));
    (void)simulator.run_steps(steps);
    cancel.emit(asio::cancellation_type::terminal);
    (void)simulator.run_until_idle();
    CHECK(failed != ended);
    if (ended) continue;
    const Asked again = ask(*session, {{user("list it")}, 0});
    CHECK(again.outcome->sample.message.text == "I look");
  }
}

TEST_CASE("a script answers whatever is asked, unless it expects something", "[replay]") {
  const test::TempDir dir;
  const auto file = dir.write("s.jsonl",
                              "{\"say\":\"hello\"}\n"
                              R"({"say":"seen","expect":{"contains":"a.txt"}})"
                              "\n");
  const auto engine = ReplayEngine::open({EngineSpec::Kind::replay, file.string(), ""}).value();
  const auto session = open(*engine);
  Transcript transcript{{user("hi")}, 0};
  transcript.messages.push_back(ask(*session, transcript).outcome->sample.message);
  transcript.messages.push_back(user("look"));
  const Asked other = ask(*session, transcript);
  REQUIRE_FALSE(other.outcome);
  CHECK(other.outcome.error().message.ends_with(
      "request 2: the last message does not contain 'a.txt'"));
  transcript.messages.push_back(
      {Role::tool, "", "", {}, {{"1", ToolStatus::ok, "there is a.txt", ""}}});
  CHECK(ask(*session, transcript).outcome->sample.message.text == "seen");
}

TEST_CASE("a session that goes on is not told again what its transcript holds", "[replay]") {
  const test::TempDir dir;
  const auto file =
      dir.write("s.jsonl", "{\"say\":\"one\"}\n{\"say\":\"two\"}\n{\"say\":\"three\"}\n");
  const auto engine = ReplayEngine::open({EngineSpec::Kind::replay, file.string(), ""}).value();
  SessionSetup setup;
  setup.goes_on = true;
  const auto said = [](std::string text) {
    return Message{Role::assistant, std::move(text), "", {}, {}};
  };
  const auto next = [&](std::vector<Message> before) {
    before.push_back(user("and?"));
    const auto session = engine->open(setup).value();
    const Asked asked = ask(*session, {std::move(before), 0});
    return asked.outcome ? asked.outcome->sample.message.text : asked.outcome.error().message;
  };
  CHECK(next({}) == "one");
  CHECK(next({user("a"), said("one")}) == "two");
  CHECK(next({user("a"), said("one"), user("b"), said("of another"), user("c"), said("two")}) ==
        "three");
  // One that was interrupted in the middle of its first answer.
  CHECK(next({user("a"), said("on")}) == "one");
  CHECK(next({user("a"), said("one"), said("two"), said("three")})
            .ends_with("the recording ends after 3 answers"));
  const std::string_view refused =
      "the answers of this session are not those of the recording, so where it goes on cannot be "
      "told: name what is to answer with --engine";
  CHECK(next({user("a"), said("of another")}).ends_with(refused));
  const auto compacted = engine->open(setup).value();
  const Asked asked = ask(*compacted, {{user("in short")}, 1});
  REQUIRE_FALSE(asked.outcome);
  CHECK(asked.outcome.error().message.ends_with(refused));
  setup.goes_on = false;
  CHECK(next({user("a"), said("one")}) == "one");
}

TEST_CASE("a session that goes on behind a compaction goes on in its journal there", "[replay]") {
  const Recorded journal;
  const auto engine = journal.engine();
  SessionSetup setup;
  setup.goes_on = true;
  const auto session = engine->open(setup).value();
  const Asked asked = ask(*session, {{user("in short: listed"), user("more")}, 1});
  REQUIRE(asked.outcome);
  CHECK(asked.outcome->sample.message.text == "no more");
  const auto other = engine->open(setup).value();
  const Asked refused = ask(*other, {{user("in short: listed"), user("less")}, 1});
  REQUIRE_FALSE(refused.outcome);
  CHECK(refused.outcome.error().message.find("recorded 'more', now 'less'") != std::string::npos);
}

TEST_CASE("a recording that cannot be read says which and why", "[replay]") {
  const test::TempDir dir;
  const auto error = [&](const std::string& path, std::string match = "") {
    const auto engine = ReplayEngine::open({EngineSpec::Kind::replay, path, std::move(match)});
    return engine ? std::string("read") : engine.error().message;
  };
  CHECK(error((dir / "none").string()).find("none") != std::string::npos);
  const std::string bad = dir.write("bad.jsonl", "{\"say\":\"a\"}\n{\"say\":2}\n").string();
  CHECK(error(bad) == "replay: " + bad + ": line 2: 'say' must be a text");
  const std::string empty = dir.write("empty.jsonl", "").string();
  CHECK(error(empty) == "replay: " + empty + ": has no answers: write one JSON object a line");
  CHECK(error(bad, "lose").ends_with("write #loose or nothing"));
  Journal silent;
  silent.add(AgentStarted{});
  CHECK(ReplayEngine::open(silent.spec()).error().message.ends_with("holds no answer of a model"));
  const Recorded journal;
  const EngineSpec spec = journal.spec();
  std::filesystem::remove_all(journal.dir() / "blobs");
  CHECK(ReplayEngine::open(spec).error().message.find(
            "seq 4: tool.finished: key 'content': blob") != std::string::npos);
}
