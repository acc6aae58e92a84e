#include "agents/attempts.hpp"

#include "tests/agents/agent_rig.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <deque>

using namespace fathom;
using namespace fathom::agents;
using namespace fathom::test;
using nlohmann::json;

namespace {

CheckEnd exits(int code) { return {code == 0, code, "exit code " + std::to_string(code), ""}; }

// Attempts of a rig's session; the check says what it is told to say.
struct Bench {
  explicit Bench(AgentRig& with) : rig(with) {}

  // Each turn with a guard of its own, as a session has it.
  TurnDriver driver() {
    rig.guard = {};
    return {TurnDriver::Services{rig.clock,
                                 rig.log,
                                 *rig.model,
                                 *rig.dispatcher,
                                 rig.ledger,
                                 rig.guard,
                                 rig.control,
                                 {},
                                 {},
                                 {},
                                 {},
                                 {},
                                 {},
                                 {},
                                 {},
                                 {}},
            {}};
  }

  asio::awaitable<Result<TurnReport>> ended(Result<TurnReport> report) {
    if (!report) co_return report;
    engine::TurnEnded end;
    end.turn = rig.log.state().turns();
    end.reason = name_of(report->end);
    end.steps = report->steps;
    auto writing = rig.log.add(std::move(end));
    CO_TRY_VOID(co_await std::move(writing));
    co_return report;
  }

  Attempts make(std::uint64_t of) { return {services(), of}; }

  Attempts::Services services() {
    Attempts::Services services{rig.log, {}, {}, {}, {}, {}, {}, {}};
    services.mark = [this]() -> asio::awaitable<Result<std::string>> {
      did.emplace_back("mark");
      co_return "S1";
    };
    services.check = [this]() -> asio::awaitable<Result<std::optional<CheckEnd>>> {
      did.emplace_back("check");
      if (passes) co_return std::optional(exits(passes() ? 0 : 1));
      if (checks.empty()) co_return fail(ErrorCode::not_found, "no such program");
      const std::optional<CheckEnd> end = checks.front();
      checks.pop_front();
      co_return end;
    };
    services.go_back = [this](const std::string& mark) -> asio::awaitable<Result<WentBack>> {
      did.push_back("back to " + mark);
      co_return back;
    };
    services.turn = [this](std::string text, std::uint64_t attempt,
                           bool repeated) -> asio::awaitable<Result<TurnReport>> {
      did.push_back((repeated ? "turn again " : "turn ") + std::to_string(attempt));
      engine::UserSaid said;
      said.text = std::move(text);
      said.repeated = repeated;
      said.turn = rig.log.state().turns() + 1;
      TurnDriver turning = driver();
      auto running = turning.run(std::move(said));
      Result<TurnReport> report = co_await std::move(running);
      auto ending = ended(std::move(report));
      co_return co_await std::move(ending);
    };
    services.go_on = [this](std::uint64_t attempt) -> asio::awaitable<Result<TurnReport>> {
      did.push_back("go on " + std::to_string(attempt));
      TurnDriver turning = driver();
      auto running = turning.resume();
      Result<TurnReport> report = co_await std::move(running);
      auto ending = ended(std::move(report));
      co_return co_await std::move(ending);
    };
    return services;
  }

  asio::awaitable<Result<AttemptsReport>> run(std::uint64_t of) {
    co_await rig.open();
    Attempts attempts = make(of);
    auto running = attempts.run("fix it");
    co_return co_await std::move(running);
  }

  AgentRig& rig;
  std::deque<std::optional<CheckEnd>> checks;
  std::function<bool()> passes;  ///< instead of `checks`
  Result<WentBack> back = WentBack{"S2", {}};
  std::vector<std::string> did;
};

using Did = std::vector<std::string>;

template <class Body>
void with_bench(Body body, agents::Budget budget = {}) {
  Disk disk;
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    AgentRig rig(simulator, disk, budget);
    Bench bench(rig);
    co_await body(bench);
    CHECK(disk.fold().transcript().messages == rig.messages());
  });
}

json data_of(const Disk& disk, std::string_view type) {
  json last;
  for (const trace::Event& event : disk.events)
    if (event.what.type == type) last = json::parse(event.what.data);
  return last;
}

}  // namespace

TEST_CASE("an attempt that the check refuses is taken back, and the next one does not know of it",
          "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {exits(1), exits(1), exits(0)};
    bench.rig.script().call({call("change", "wrong")});
    bench.rig.script().say("I think so.");
    bench.rig.script().say("Done.");
    const auto report = co_await bench.run(3);
    REQUIRE(report);
    CHECK(report->verdict == AttemptVerdict::accepted);
    CHECK(report->attempts == 2);
    CHECK(report->turn.answer == "Done.");
    CHECK(report->why.empty());
    CHECK(bench.did == Did{"mark", "check", "turn 0", "check", "back to S1", "turn 1", "check"});
    REQUIRE(bench.rig.messages().size() == 2);
    CHECK(bench.rig.messages()[0].text == "fix it");
    CHECK(bench.rig.script().asked.epoch == 1);
    CHECK(bench.rig.log.state().record().files_changed.empty());
    const json last = data_of(bench.rig.disk, "agent.attempt");
    CHECK(last["n"] == 2);
    CHECK(last["of"] == 3);
    CHECK(last["accepted"] == true);
    CHECK(last["exit_code"] == 0);
  });
}

TEST_CASE("what an attempt read before its first change is there for the next one", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.rig.snapshot = [](const ToolCall&) -> asio::awaitable<Result<std::string>> {
      co_return "S3";
    };
    bench.checks = {exits(1), exits(1), exits(1), exits(0)};
    auto& script = bench.rig.script();
    script.call({call("look", "a")});
    script.call({call("change", "wrong")});
    script.say("I think so.");
    script.call({call("change", "wrong too")});
    script.say("Now.");
    script.call({call("change", "right")});
    script.say("Done.");
    const auto report = co_await bench.run(5);
    REQUIRE(report);
    CHECK(report->verdict == AttemptVerdict::accepted);
    CHECK(report->attempts == 3);
    CHECK(bench.did == Did{"mark", "check", "turn 0", "check", "back to S1", "turn again 1",
                           "check", "back to S1", "turn again 2", "check"});
    // The task, the look and its result; then the last change, its result, and the answer.
    const auto& messages = bench.rig.messages();
    REQUIRE(messages.size() == 6);
    CHECK(messages[0].text == "fix it");
    CHECK(messages[1].calls.front().name == "look");
    CHECK(messages[3].calls.front().arguments.find("right") != std::string::npos);
    CHECK(bench.rig.log.state().record().said.size() == 1);
    CHECK(bench.rig.log.state().turns() == 3);
  });
}

TEST_CASE("what was said to a refused attempt sends the next one back to the beginning",
          "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.rig.snapshot = [](const ToolCall&) -> asio::awaitable<Result<std::string>> {
      co_return "S3";
    };
    bench.checks = {exits(1), exits(1), exits(0)};
    auto& script = bench.rig.script();
    script.call({call("look", "a")});
    script.call({call("change", "wrong")});
    script.say("So?");
    script.say("Done.");
    CHECK(bench.rig.control.steer({"k1", "look at b", {}}));
    const auto report = co_await bench.run(5);
    REQUIRE(report);
    CHECK(bench.did == Did{"mark", "check", "turn 0", "check", "back to S1", "turn 1", "check"});
    CHECK(bench.rig.messages()[0].text == "fix it\n\nlook at b");
  });
}

TEST_CASE("where the check passes already, an agent that works until it does has nothing to do",
          "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {exits(0)};
    co_await bench.rig.open();
    Attempts attempts(bench.services(), 3, true);
    auto running = attempts.run("fix it");
    const auto report = co_await std::move(running);
    REQUIRE(report);
    CHECK_FALSE(report->verdict);
    CHECK(report->attempts == 0);
    CHECK(report->turn.end == TurnEnd::answered);
    CHECK(report->why.find("nothing to repair") != std::string::npos);
    CHECK(bench.did == Did{"mark", "check"});
    CHECK(bench.rig.messages().empty());
  });
}

TEST_CASE("a check that cannot tell anything ends it before the first attempt", "[agents]") {
  for (const CheckEnd& end : {CheckEnd{false, 127, "exit code 127", "python3: not found"},
                              CheckEnd{false, 126, "exit code 126", ""}})
    with_bench([&](Bench& bench) -> asio::awaitable<void> {
      bench.checks = {end};
      const auto report = co_await bench.run(3);
      REQUIRE_FALSE(report);
      CHECK(report.error().message.starts_with("accept: the check "));
      CHECK(report.error().message.find(end.ending + (end.said.empty() ? "" : ": " + end.said)) !=
            std::string::npos);
      CHECK(bench.did == Did{"mark", "check"});
    });
}

TEST_CASE("a check that crashes or hangs is one that fails, and can be repaired", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {CheckEnd{false, {}, "stopped: deadline of 2000 ms", ""}, exits(0)};
    bench.rig.script().say("Done.");
    const auto report = co_await bench.run(3);
    REQUIRE(report);
    CHECK(report->verdict == AttemptVerdict::accepted);
  });
}

TEST_CASE("the task is in the journal before the first check, and is gone on with", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {std::nullopt, exits(1), exits(0)};  // interrupted, then run again
    co_await bench.rig.open();
    const auto stopped = co_await bench.run(3);
    REQUIRE(stopped);
    CHECK(stopped->turn.end == TurnEnd::cancelled);
    CHECK(bench.rig.log.state().attempts()->open);
    CHECK(bench.rig.log.state().attempts()->task == "fix it");
    bench.rig.script().say("Done.");
    Attempts again = bench.make(3);
    auto resuming = again.resume();
    const auto report = co_await std::move(resuming);
    REQUIRE(report);
    CHECK(report->verdict == AttemptVerdict::accepted);
    CHECK(bench.rig.messages()[0].text == "fix it");
  });
}

TEST_CASE("nothing is kept of a change that a compaction has told of", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.rig.snapshot = [](const ToolCall&) -> asio::awaitable<Result<std::string>> {
      co_return "S3";
    };
    bench.rig.engine.change_info().context_tokens = 1000;
    bench.rig.compact = [&]() -> asio::awaitable<Result<bool>> {
      engine::Compacted compacted;
      compacted.transcript.epoch = bench.rig.log.state().transcript().epoch + 1;
      compacted.transcript.messages = {{Role::user, "I changed x", "", {}, {}}};
      auto writing = bench.rig.log.add(std::move(compacted));
      CO_TRY_VOID(co_await std::move(writing));
      co_return true;
    };
    bench.checks = {exits(1), exits(1), exits(0)};
    auto& script = bench.rig.script();
    script.call({call("change", std::string(4000, 'x'))});
    script.call({call("change", "more")});
    script.say("So.");
    script.say("Done.");
    const auto report = co_await bench.run(3);
    REQUIRE(report);
    CHECK(bench.rig.messages().size() == 2);
    CHECK(bench.rig.messages()[0].text == "fix it");
  });
}

TEST_CASE("attempts leave what was said before them", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.rig.script().say("hello");
    co_await bench.rig.open();
    (void)co_await bench.rig.run("good morning");
    bench.checks = {exits(1), exits(1), exits(0)};
    bench.rig.script().say("first");
    bench.rig.script().say("second");
    Attempts attempts = bench.make(2);
    auto running = attempts.run("fix it");
    const auto report = co_await std::move(running);
    REQUIRE(report);
    REQUIRE(bench.rig.messages().size() == 4);
    CHECK(bench.rig.messages()[0].text == "good morning");
    CHECK(bench.rig.messages()[1].text == "hello");
    CHECK(bench.rig.messages()[3].text == "second");
  });
}

TEST_CASE("a check that passed before proves nothing by passing afterwards", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {exits(0), exits(0)};
    bench.rig.script().say("Done.");
    const auto report = co_await bench.run(3);
    REQUIRE(report);
    CHECK(report->verdict == AttemptVerdict::unproven);
    CHECK(report->turn.end == TurnEnd::answered);
    CHECK(report->why.starts_with("not proven: the check passed before"));
    CHECK(bench.did == Did{"mark", "check", "turn 0", "check"});
    CHECK(data_of(bench.rig.disk, "agent.attempt")["accepted"] == false);
  });
}

TEST_CASE("an attempt that breaks what was whole is taken back and tried again", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {exits(0), exits(2), exits(0)};
    bench.rig.script().say("one");
    bench.rig.script().say("two");
    const auto report = co_await bench.run(2);
    REQUIRE(report);
    CHECK(report->verdict == AttemptVerdict::unproven);
    CHECK(report->attempts == 2);
  });
}

TEST_CASE("when no attempt is accepted all are taken back and it is said", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {exits(1), exits(1), CheckEnd{false, {}, "stopped: deadline of 2000 ms", ""}};
    bench.back = WentBack{"S2", {{"big.bin", "larger than 16 MiB"}}};
    bench.rig.script().say("one");
    bench.rig.script().say("two");
    const auto report = co_await bench.run(2);
    REQUIRE(report);
    CHECK(report->verdict == AttemptVerdict::refused);
    CHECK(report->turn.end == TurnEnd::answered);
    CHECK(report->why ==
          "none of 2 attempts was accepted: the check ended with stopped: deadline of 2000 ms; "
          "1 paths could not be taken back");
    CHECK(std::ranges::count(bench.did, "back to S1") == 2);
    const json last = data_of(bench.rig.disk, "agent.attempt");
    CHECK_FALSE(last.contains("exit_code"));
    CHECK(last["not_restored"][0]["path"] == "big.bin");
    CHECK(last["work"] == "S2");
    CHECK_FALSE(bench.rig.log.state().attempts()->open);
  });
}

TEST_CASE("where a workspace could not be restored no attempt is built on it", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {exits(1), exits(1)};
    bench.back = fail(ErrorCode::io, "store: disk on fire");
    bench.rig.script().say("one");
    const auto report = co_await bench.run(5);
    REQUIRE(report);
    CHECK(report->attempts == 1);
    REQUIRE(report->not_restored.size() == 1);
    CHECK(report->not_restored[0].reason == "store: disk on fire");
  });
}

TEST_CASE("an engine that does not answer is not asked for another attempt", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {exits(1), exits(1)};
    bench.rig.script().fail_with(engine::FaultClass::refused);
    const auto report = co_await bench.run(5);
    REQUIRE(report);
    CHECK(report->turn.end == TurnEnd::engine_error);
    CHECK(report->verdict == AttemptVerdict::refused);
    CHECK(report->attempts == 1);
    CHECK(bench.did.back() == "back to S1");
  });
}

TEST_CASE("an attempt that a person stops is neither checked nor taken back", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {exits(1)};
    bench.rig.add_tool("stop", tools::Effect::read, [&](const std::string&) {
      bench.rig.control.interrupt();
      return FunctionTool::Answer{"stopping", std::chrono::seconds(1), {}};
    });
    bench.rig.script().call({call("stop", "")});
    const auto report = co_await bench.run(5);
    REQUIRE(report);
    CHECK(report->turn.end == TurnEnd::cancelled);
    CHECK_FALSE(report->verdict);
    CHECK(bench.did == Did{"mark", "check", "turn 0"});
    CHECK_FALSE(bench.rig.log.state().attempts()->open);
  });
}

TEST_CASE("a check that cannot be run costs no attempt", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    const auto report = co_await bench.run(5);
    REQUIRE_FALSE(report);
    CHECK(report.error().message == "no such program");
    CHECK(bench.rig.script().bodies.empty());
  });
}

TEST_CASE("what a user said to a refused attempt is said to the next one", "[agents]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.checks = {exits(1), exits(1), exits(1), exits(0)};
    bench.rig.add_tool("wait", tools::Effect::read, [&](const std::string&) {
      CHECK(bench.rig.control.steer({"k1", "use tabs", {}}));
      return FunctionTool::Answer{"waited", {}, {}};
    });
    bench.rig.script().call({call("wait", "")});
    for (const char* text : {"one", "two", "three"}) bench.rig.script().say(text);
    const auto report = co_await bench.run(3);
    REQUIRE(report);
    CHECK(report->attempts == 3);
    CHECK(bench.rig.messages()[0].text == "fix it\n\nuse tabs");
    CHECK(bench.rig.log.state().record().delivered("k1").has_value());
  });
}

TEST_CASE("attempts go on from every event that a journal may end with", "[agents]") {
  // Two refused attempts with a call each, then one that is accepted.
  const auto play = [](const engine::Transcript& asked) {
    Script script;
    if (asked.messages.back().role == Role::user)
      script.call({call("change", "x")});
    else
      script.say("done");
    return script.steps.front();
  };
  std::size_t resumed = 0;
  for (std::size_t events = 1;; ++events) {
    Disk disk;
    std::uint64_t refusals = 0;
    bool has_ended = false;
    const auto life = [&](std::size_t appends, bool is_first) {
      run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
        AgentRig rig(simulator, disk);
        rig.script().otherwise = play;
        Bench bench(rig);
        co_await rig.open();
        rig.appends_left = appends;
        Attempts attempts = bench.make(3);
        bench.passes = [&] {
          const auto& done = rig.log.state().attempts();
          return done && done->ended == 2;
        };
        auto running = is_first ? attempts.run("fix it") : attempts.resume();
        const auto report = co_await std::move(running);
        refusals = static_cast<std::uint64_t>(std::ranges::count(bench.did, "back to S1"));
        has_ended = report.has_value();
        if (!report) co_return;
        CHECK(report->verdict == AttemptVerdict::accepted);
        CHECK(report->attempts == 3);
        CHECK(report->turn.answer == "done");
        REQUIRE(rig.messages().size() == 4);
        CHECK(rig.messages()[0].text == "fix it");
        CHECK(disk.fold().transcript().messages == rig.messages());
      });
    };
    life(events, true);
    INFO("a journal of " << events << " events");
    if (has_ended) break;
    const agents::SessionState left = disk.fold();
    if (!left.attempts()) continue;
    ++resumed;
    life(SIZE_MAX, false);
    CHECK(has_ended);
    if (left.attempts()->ended == 0) CHECK(refusals >= 1);
  }
  CHECK(resumed > 20);
}

TEST_CASE("only a check that came to its own end with 0 has passed", "[agents]") {
  sandbox::Outcome outcome;
  outcome.end(sandbox::Ending::exited, "");
  CHECK(check_end(outcome, "make")->passed);
  outcome.exit_code = 3;
  CHECK_FALSE(check_end(outcome, "make")->passed);
  CHECK(check_end(outcome, "make")->exit_code == 3);
  sandbox::Outcome late;
  late.end(sandbox::Ending::deadline, "deadline of 5 ms");
  CHECK_FALSE(check_end(late, "make")->passed);
  CHECK_FALSE(check_end(late, "make")->exit_code);
  sandbox::Outcome absent;
  absent.end(sandbox::Ending::not_started, "exec: No such file or directory");
  CHECK(check_end(absent, "make").error().message ==
        "accept: the check make was not started: exec: No such file or directory");
  sandbox::Outcome lost;
  lost.end(sandbox::Ending::lost, "the zygote is gone");
  CHECK(check_end(lost, "make").error().code == ErrorCode::io);
}
