#include "agents/turn_driver.hpp"

#include "tests/agents/agent_rig.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>

using namespace fathom;
using namespace fathom::agents;
using namespace fathom::test;
using namespace std::chrono_literals;

namespace {

template <class Body>
void with_rig(Body body, agents::Budget budget = {}) {
  Disk disk;
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    AgentRig rig(simulator, disk, budget);
    co_await body(rig, simulator);
    CHECK(disk.fold().transcript().messages == rig.messages());
  });
}

std::vector<std::string> contents(const Message& message) {
  std::vector<std::string> all;
  for (const ToolResult& result : message.results) all.push_back(result.content);
  return all;
}

}  // namespace

TEST_CASE("a turn runs the calls and gives the model their results", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.script().call({call("look", "a"), call("change", "b")}, "I look first.");
    rig.script().say("All done.");
    co_await rig.open();
    const TurnReport report = co_await rig.run("fix it");
    CHECK(report.end == TurnEnd::answered);
    CHECK(report.answer == "All done.");
    CHECK(report.steps == 2);
    REQUIRE(rig.messages().size() == 4);
    CHECK(rig.messages()[0].text == "fix it");
    CHECK(rig.messages()[1].calls[0].id == "call-1");
    CHECK(contents(rig.messages()[2]) == std::vector<std::string>{"seen a", "changed b"});
    CHECK(rig.script().asked.messages ==
          std::vector(rig.messages().begin(), rig.messages().end() - 1));
  });
}

TEST_CASE("every request repeats the one before and adds to it", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    for (int i = 0; i < 5; ++i) rig.script().call({call("look", std::to_string(i))});
    rig.script().say("done");
    co_await rig.open();
    (void)co_await rig.run("go");
    const auto& bodies = rig.script().bodies;
    REQUIRE(bodies.size() == 6);
    for (std::size_t i = 1; i < bodies.size(); ++i) {
      const std::string_view before =
          std::string_view(bodies[i - 1]).substr(0, bodies[i - 1].size() - 2);
      CHECK(bodies[i].starts_with(before));
    }
    for (const trace::Event& event : rig.disk.events) CHECK(event.what.type != "context.miss");
  });
}

TEST_CASE("a request that does not repeat the one before is explained by its first byte",
          "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.script().call({call("look", "a")});
    rig.script().say("done");
    rig.add_tool("spoil", tools::Effect::read, {});
    co_await rig.open();
    rig.on_event = [&](const trace::Event& event) {
      if (event.what.type == "model.message") rig.script().spoil_prefix = true;
    };
    (void)co_await rig.run("go");
    const auto types = rig.disk.types();
    const auto miss = std::ranges::find(types, "context.miss");
    REQUIRE(miss != types.end());
    const std::string& data =
        rig.disk.events[static_cast<std::size_t>(miss - types.begin())].what.data;
    CHECK(data.find(R"("byte":0,"part":"setup")") != std::string::npos);
  });
}

TEST_CASE("a failed tool is an answer for the model", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.add_tool("break", tools::Effect::write, [](const std::string&) {
      return FunctionTool::Answer{"", {}, Error{ErrorCode::io, "disk on fire"}};
    });
    rig.script().call({call("break", ""), call("nonsense", "")});
    rig.script().say("I give up.");
    co_await rig.open();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::answered);
    CHECK(rig.messages()[2].results[0].content == "error: disk on fire");
    CHECK(rig.messages()[2].results[1].content.find("no tool 'nonsense'") != std::string::npos);
  });
}

TEST_CASE("what may pass is asked again with the same bytes, and every attempt is an event",
          "[agents]") {
  with_rig([](AgentRig& rig, Simulator& simulator) -> asio::awaitable<void> {
    rig.script().fail_with(engine::FaultClass::server);
    rig.script().fail_with(engine::FaultClass::transport);
    rig.script().say("done");
    co_await rig.open();
    const Instant began = simulator.clock().now();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::answered);
    CHECK(report.steps == 1);
    REQUIRE(rig.script().bodies.size() == 3);
    CHECK(rig.script().bodies[0] == rig.script().bodies[2]);
    const Duration waited = simulator.clock().now() - began;
    CHECK(waited >= 2s);
    CHECK(waited <= 4s);
    CHECK(std::ranges::count(rig.disk.types(), "model.retry") == 2);
    CHECK(std::ranges::count(rig.disk.types(), "model.request") == 3);
    CHECK(rig.log.state().spent().steps == 1);
  });
}

TEST_CASE("what will not pass ends the turn at once with the engine's reason", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.script().fail_with(engine::FaultClass::refused, "scripted: no such model");
    co_await rig.open();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::engine_error);
    CHECK(report.why == "scripted: no such model");
    CHECK(rig.script().bodies.size() == 1);
    CHECK(std::ranges::count(rig.disk.types(), "model.failed") == 1);
  });
}

TEST_CASE("a message that comes while tools run is delivered with the next request", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    std::uint64_t receipt = 0;
    rig.add_tool("wait", tools::Effect::read, [&](const std::string&) {
      CHECK(rig.control.steer({"k1", "use tabs", [&](std::uint64_t seq) { receipt = seq; }}));
      CHECK(rig.control.steer({"k1", "use tabs", {}}));  // the same message again
      return FunctionTool::Answer{"waited", 1s, {}};
    });
    rig.script().call({call("wait", "")});
    rig.script().say("done");
    co_await rig.open();
    (void)co_await rig.run("go");
    REQUIRE(rig.messages().size() == 5);
    CHECK(rig.messages()[3].text == "use tabs");
    REQUIRE(receipt != 0);
    CHECK(rig.disk.events[receipt - 1].what.type == "steer.delivered");
  });
}

TEST_CASE("an interrupted sample keeps what was said and the turn ends", "[agents]") {
  with_rig([](AgentRig& rig, Simulator& simulator) -> asio::awaitable<void> {
    rig.script().say("first half, second half");
    rig.script().steps.back().takes = 10s;
    co_await rig.open();
    TaskGroup group(simulator.executor());
    group.spawn([](Clock& clock, Control& control) -> asio::awaitable<void> {
      co_await clock.sleep_for(1s);
      control.interrupt();
    }(simulator.clock(), rig.control));
    const TurnReport report = co_await rig.run("go");
    co_await group.join();
    CHECK(report.end == TurnEnd::cancelled);
    REQUIRE(rig.messages().size() == 2);
    CHECK(rig.messages()[1].text == "first half,");
    CHECK_FALSE(rig.control.is_interrupted());
  });
}

TEST_CASE("an interruption with a message goes on with the message", "[agents]") {
  with_rig([](AgentRig& rig, Simulator& simulator) -> asio::awaitable<void> {
    rig.script().say("a long way to go");
    rig.script().steps.back().takes = 10s;
    rig.script().say("stopped as you wish");
    co_await rig.open();
    TaskGroup group(simulator.executor());
    group.spawn([](Clock& clock, Control& control) -> asio::awaitable<void> {
      co_await clock.sleep_for(1s);
      CHECK(control.steer({"", "stop that", {}}));
      control.interrupt();
    }(simulator.clock(), rig.control));
    const TurnReport report = co_await rig.run("go");
    co_await group.join();
    CHECK(report.end == TurnEnd::answered);
    CHECK(report.answer == "stopped as you wish");
    CHECK(rig.messages()[2].text == "stop that");
  });
}

TEST_CASE("calls that an interruption kept from running say so", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    int changed = 0;
    rig.add_tool("slow", tools::Effect::write, [&](const std::string&) {
      ++changed;
      rig.control.interrupt();
      return FunctionTool::Answer{"never", 10s, {}};
    });
    rig.script().call({call("look", "a"), call("slow", ""), call("slow", "")});
    co_await rig.open();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::cancelled);
    CHECK(changed == 1);
    REQUIRE(rig.messages().size() == 3);
    const auto all = contents(rig.messages()[2]);
    CHECK(all[0] == "seen a");
    CHECK(all[1] == "interrupted: it may have done a part of its work");
    CHECK(all[2] == "not run: the turn was interrupted before it");
  });
}

TEST_CASE("a model that goes in circles is told once and then stopped", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.script().otherwise = [](const engine::Transcript&) {
      Script one;
      one.call({call("look", "same")});
      return one.steps.front();
    };
    co_await rig.open();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::loop);
    CHECK(report.why == "the model went in circles (same_call)");
    CHECK(report.steps == 2 * Guard::kSameMax);
    CHECK(std::ranges::count(rig.disk.types(), "guard.noted") == 1);
    CHECK(std::ranges::count(rig.disk.types(), "guard.stopped") == 1);
  });
}

TEST_CASE("a stronger model takes over where the first goes in circles", "[agents]") {
  with_rig([](AgentRig& rig, Simulator& simulator) -> asio::awaitable<void> {
    ScriptedEngine strong(simulator.clock());
    strong.script->say("rescued");
    rig.script().otherwise = [](const engine::Transcript&) {
      Script one;
      one.call({call("look", "same")});
      return one.steps.front();
    };
    std::vector<std::string> reasons;
    rig.escalate = [&](std::string_view why) -> asio::awaitable<Result<bool>> {
      reasons.emplace_back(why);
      rig.model->replace(strong, strong.open(rig.log.state().started()->setup).value());
      co_return true;
    };
    co_await rig.open();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::answered);
    CHECK(report.answer == "rescued");
    CHECK(reasons == std::vector<std::string>{"same_call"});
  });
}

TEST_CASE("an edit that does not pass the check ends the turn", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.add_tool("edit", tools::Effect::write, [](const std::string& text) {
      return FunctionTool::Answer{"edited", {}, {}, {text}};
    });
    int checks = 0;
    rig.check_edit = [&]() -> asio::awaitable<Result<std::optional<bool>>> {
      co_return ++checks == 1;
    };
    rig.script().call({call("edit", "a")});
    rig.script().call({call("look", "a")});
    rig.script().call({call("edit", "b")});
    co_await rig.open();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::rejected);
    CHECK(report.why == "the edit did not pass the check");
    CHECK(report.steps == 3);
    CHECK(checks == 2);
  });
}

TEST_CASE("a call that can do nothing is not run and ends the turn", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.is_idle = [](const ToolCall& one) { return one.arguments.contains("same"); };
    rig.script().call({call("look", "same")});
    co_await rig.open();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::rejected);
    CHECK(std::ranges::count(rig.disk.types(), "tool.requested") == 0);
  });
}

TEST_CASE("what an answer may be is asked before each that may call", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    int asked = 0;
    rig.guide = [&](engine::RequestLimits& limits) -> asio::awaitable<Result<>> {
      ++asked;
      limits.must_call = true;
      co_return Result<>{};
    };
    rig.script().call({call("look", "a")});
    rig.script().say("Done.");
    co_await rig.open();
    CHECK((co_await rig.run("go")).end == TurnEnd::answered);
    CHECK(asked == 2);
  });
}

TEST_CASE("a budget that is spent ends the turn after a summary", "[agents]") {
  Budget budget;
  budget.tokens = 1000;
  with_rig(
      [](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
        rig.script().call({call("look", "a")});
        std::get<0>(std::tie(rig.script().steps.back().outcome))->usage = {900, 0, 60, 0};
        rig.script().say("I looked at a.");
        co_await rig.open();
        const TurnReport report = co_await rig.run("go");
        CHECK(report.end == TurnEnd::budget);
        CHECK(report.answer == "I looked at a.");
        CHECK(report.why == "the budget is spent: tokens 960 of 1000");
        CHECK(rig.script().may_call == std::vector<bool>{true, false});
        CHECK(rig.messages()[3].text.find("tokens 960 of 1000") != std::string::npos);
      },
      budget);
}

TEST_CASE("an answer without the form that was asked for is sent back with what is wrong",
          "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.find_fault = [](std::string_view answer) -> std::optional<std::string> {
      if (answer == "{}") return std::nullopt;
      return "it is not JSON";
    };
    rig.script().say("sure!");
    rig.script().say("{}");
    co_await rig.open();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::answered);
    CHECK(rig.messages()[2].text ==
          "Your answer does not have the form that was asked for. it is not JSON");
  });
}

TEST_CASE("a full context is made shorter before the next request", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.engine.change_info().context_tokens = 1000;
    rig.script().call({call("look", std::string(4000, 'x'))});
    rig.script().say("done");
    int compactions = 0;
    rig.compact = [&]() -> asio::awaitable<Result<bool>> {
      ++compactions;
      engine::Compacted compacted;
      compacted.transcript.epoch = 1;
      compacted.transcript.messages = {{Role::user, "in short", "", {}, {}}};
      auto writing = rig.log.add(std::move(compacted));
      CO_TRY_VOID(co_await std::move(writing));
      co_return true;
    };
    co_await rig.open();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::answered);
    CHECK(compactions == 1);
    CHECK(rig.script().asked.messages.front().text == "in short");
  });
}

TEST_CASE("a call that waits for approval suspends the turn, and the answer lets it go on",
          "[agents]") {
  const bool is_given = GENERATE(true, false);
  Disk disk;
  const auto ask_first = [](AgentRig& rig, tools::Approval answer) {
    rig.policy.exec.otherwise = policies::Verdict::ask;
    rig.approve = [answer](const ToolCall&,
                           const policies::Decision&) -> asio::awaitable<tools::Approval> {
      co_return answer;
    };
  };
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    AgentRig rig(simulator, disk);
    ask_first(rig, tools::Approval::later);
    rig.add_tool(
        "ask", tools::Effect::write,
        [](const std::string&) {
          FAIL("it was not approved");
          return FunctionTool::Answer{};
        },
        "rm -rf /");
    rig.script().call({call("look", "a"), call("ask", ""), call("look", "b")});
    co_await rig.open();
    const TurnReport report = co_await rig.run("go");
    CHECK(report.end == TurnEnd::suspended);
    REQUIRE(rig.log.state().pending().size() == 3);
    CHECK(rig.log.state().pending()[0].result);
    CHECK(rig.log.state().pending()[1].asked);
    CHECK_FALSE(rig.log.state().pending()[2].result);
  });
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    AgentRig rig(simulator, disk);
    ask_first(rig, is_given ? tools::Approval::given : tools::Approval::refused);
    rig.add_tool(
        "ask", tools::Effect::write,
        [](const std::string&) { return FunctionTool::Answer{"asked and done", {}, {}}; },
        "rm -rf /");
    rig.script().say("done");
    co_await rig.open();
    auto resuming = rig.driver->resume();
    const auto report = co_await std::move(resuming);
    REQUIRE(report);
    CHECK(report->end == TurnEnd::answered);
    const auto all = contents(rig.messages()[2]);
    CHECK(all[0] == "seen a");
    CHECK((all[1] == "asked and done") == is_given);
    CHECK(all[2] == "seen b");
    CHECK(disk.fold().transcript().messages == rig.messages());
  });
}

TEST_CASE("a journal that cannot be written stops the turn with its error", "[agents]") {
  Disk disk;
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    for (std::size_t appends = 1; appends < 12; ++appends) {
      CAPTURE(appends);
      disk.events.clear();
      AgentRig rig(simulator, disk);
      rig.script().call({call("look", "a")});
      rig.script().say("done");
      co_await rig.open();
      rig.appends_left = appends;
      engine::UserSaid said;
      said.text = "go";
      auto running = rig.driver->run(std::move(said));
      const auto report = co_await std::move(running);
      if (report) break;
      CHECK(report.error().code == ErrorCode::disk_full);
    }
  });
}

namespace {

/// Lives of a program with one journal: the first ends where it wants, the next ones resume.
template <class First, class Next>
void with_lives(First first, Next next) {
  Disk disk;
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    AgentRig rig(simulator, disk);
    co_await first(rig);
  });
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    AgentRig rig(simulator, disk);
    co_await next(rig);
    CHECK(disk.fold().transcript().messages == rig.messages());
  });
}

asio::awaitable<void> run_and_die(AgentRig& rig, std::size_t dies_at) {
  rig.dies_at = dies_at;
  engine::UserSaid said;
  said.text = "go";
  auto running = rig.driver->run(std::move(said));
  const auto report = co_await std::move(running);
  CHECK_FALSE(report);
}

asio::awaitable<TurnReport> resume(AgentRig& rig) {
  auto resuming = rig.driver->resume();
  const auto report = co_await std::move(resuming);
  REQUIRE(report);
  co_return *report;
}

// agent.started, turn.started, model.request
constexpr std::size_t kFirstAnswer = 4;

}  // namespace

TEST_CASE("a turn that was answered before the program died is not asked again", "[agents]") {
  with_lives(
      [](AgentRig& rig) -> asio::awaitable<void> {
        rig.script().say("all done");
        co_await rig.open();
        co_await run_and_die(rig, kFirstAnswer);
      },
      [](AgentRig& rig) -> asio::awaitable<void> {
        co_await rig.open();
        const TurnReport report = co_await resume(rig);
        CHECK(report.end == TurnEnd::answered);
        CHECK(report.answer == "all done");
        CHECK(report.steps == 1);
        CHECK(rig.script().bodies.empty());
      });
}

TEST_CASE("calls of an answer that was stopped are not run by who resumes it", "[agents]") {
  with_lives(
      [](AgentRig& rig) -> asio::awaitable<void> {
        co_await rig.open();
        engine::UserSaid said;
        said.text = "go";
        auto beginning = rig.log.add(std::move(said));
        REQUIRE(co_await std::move(beginning));
        engine::ModelAnswered stopped;
        stopped.message = {Role::assistant, "I ch", "", {call("change", "a", "cut-1-1")}, {}};
        stopped.end = engine::AnswerEnd::interrupted;
        auto stopping = rig.log.add(std::move(stopped));
        REQUIRE(co_await std::move(stopping));
      },
      [](AgentRig& rig) -> asio::awaitable<void> {
        rig.script().say("all done");
        co_await rig.open();
        CHECK((co_await resume(rig)).end == TurnEnd::answered);
        CHECK(contents(rig.messages()[2]) ==
              std::vector<std::string>{"not run: the turn was interrupted before it"});
      });
}

TEST_CASE("an answer that was stopped is gone on with behind a message", "[agents]") {
  with_lives(
      [](AgentRig& rig) -> asio::awaitable<void> {
        co_await rig.open();
        engine::UserSaid said;
        said.text = "go";
        auto beginning = rig.log.add(std::move(said));
        REQUIRE(co_await std::move(beginning));
        engine::ModelAnswered stopped;
        stopped.message = {Role::assistant, "first ha", "", {}, {}};
        stopped.end = engine::AnswerEnd::interrupted;
        auto stopping = rig.log.add(std::move(stopped));
        REQUIRE(co_await std::move(stopping));
      },
      [](AgentRig& rig) -> asio::awaitable<void> {
        rig.script().say("all done");
        co_await rig.open();
        CHECK((co_await resume(rig)).end == TurnEnd::answered);
        CHECK(rig.messages()[2].text == "You were interrupted. Go on with the task.");
      });
}

TEST_CASE("a message that is sent again after a crash is said once and has its receipt",
          "[agents]") {
  std::uint64_t receipt = 0;
  with_lives(
      [&](AgentRig& rig) -> asio::awaitable<void> {
        co_await rig.open();
        CHECK(rig.control.steer({"k1", "use tabs", [&](std::uint64_t seq) { receipt = seq; }}));
        co_await run_and_die(rig, 3);  // written, and nobody heard of it
        CHECK(receipt == 0);
      },
      [&](AgentRig& rig) -> asio::awaitable<void> {
        std::uint64_t again = 0;
        CHECK(rig.control.steer({"k1", "use tabs", [&](std::uint64_t seq) { receipt = seq; }}));
        CHECK(rig.control.steer({"k1", "use tabs", [&](std::uint64_t seq) { again = seq; }}));
        rig.script().say("all done");
        co_await rig.open();
        CHECK((co_await resume(rig)).end == TurnEnd::answered);
        CHECK(receipt == 3);
        CHECK(again == 3);
        CHECK(rig.messages().size() == 3);
      });
}

TEST_CASE("steps are counted on when a turn is resumed", "[agents]") {
  with_lives(
      [](AgentRig& rig) -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i) rig.script().call({call("look", std::to_string(i))});
        co_await rig.open();
        // The third answer: a step has request, answer, and four events of its call.
        co_await run_and_die(rig, kFirstAnswer + 12);
      },
      [](AgentRig& rig) -> asio::awaitable<void> {
        rig.script().say("I was stopped");
        TurnLimits limits;
        limits.rules.steps_max = 3;
        co_await rig.open(limits);
        const TurnReport report = co_await resume(rig);
        CHECK(report.end == TurnEnd::step_limit);
        CHECK(report.steps == 4);
      });
}

TEST_CASE("what was heard of an attempt that broke off is no part of the next", "[agents]") {
  with_rig([](AgentRig& rig, Simulator& simulator) -> asio::awaitable<void> {
    rig.script().fail_with(engine::FaultClass::transport);
    rig.script().steps.back().cut_after = "broken";
    rig.script().say("whole, but late");
    rig.script().steps.back().takes = 10s;
    co_await rig.open();
    TaskGroup group(simulator.executor());
    group.spawn([](Clock& clock, Control& control) -> asio::awaitable<void> {
      co_await clock.sleep_for(5s);
      control.interrupt();
    }(simulator.clock(), rig.control));
    CHECK((co_await rig.run("go")).end == TurnEnd::cancelled);
    co_await group.join();
    CHECK(rig.messages()[1].text == "whole, ");
  });
}

TEST_CASE("who interrupts before a resumed turn's calls begin keeps them from beginning",
          "[agents]") {
  with_lives(
      [](AgentRig& rig) -> asio::awaitable<void> {
        rig.script().call({call("change", "a")});
        co_await rig.open();
        co_await run_and_die(rig, kFirstAnswer);
      },
      [](AgentRig& rig) -> asio::awaitable<void> {
        co_await rig.open();
        rig.control.interrupt();
        CHECK((co_await resume(rig)).end == TurnEnd::cancelled);
        CHECK(contents(rig.messages()[2]) ==
              std::vector<std::string>{"not run: the turn was interrupted before it"});
      });
}

TEST_CASE("a tool may interrupt its turn in its first breath", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.add_tool("stop", tools::Effect::write, [&](const std::string&) {
      rig.control.interrupt();
      return FunctionTool::Answer{"never", 10s, {}};
    });
    rig.script().call({call("stop", "")});
    co_await rig.open();
    CHECK((co_await rig.run("go")).end == TurnEnd::cancelled);
    CHECK(contents(rig.messages()[2]) ==
          std::vector<std::string>{"interrupted: it may have done a part of its work"});
  });
}

TEST_CASE("a call that ran is never said not to have run, even if its end was not written",
          "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.add_tool("stop", tools::Effect::write, [&](const std::string&) {
      rig.fails_at = rig.disk.events.size() + 1;
      rig.control.interrupt();
      return FunctionTool::Answer{"never", 10s, {}};
    });
    rig.script().call({call("stop", "")});
    co_await rig.open();
    CHECK((co_await rig.run("go")).end == TurnEnd::cancelled);
    CHECK(contents(rig.messages()[2]) ==
          std::vector<std::string>{"interrupted: it may have done a part of its work"});
  });
}

TEST_CASE("text that is no UTF-8 is the same for who wrote it and who reads it", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.script().say("caf\xe9");
    co_await rig.open();
    CHECK(rig.control.steer({"", "na\xefve", {}}));
    (void)co_await rig.run("go");
    CHECK(rig.messages()[1].text == "na\xef\xbf\xbdve");
    CHECK(rig.messages()[2].text == "caf\xef\xbf\xbd");
  });
}

TEST_CASE("a call's id has no double in the session, even after a compaction", "[agents]") {
  with_rig([](AgentRig& rig, Simulator&) -> asio::awaitable<void> {
    rig.engine.change_info().context_tokens = 1000;
    rig.script().call({call("look", std::string(4000, 'x'), "given")});
    rig.script().call({call("look", "a", "given"), call("look", "b")});
    rig.script().say("done");
    rig.compact = [&]() -> asio::awaitable<Result<bool>> {
      engine::Compacted compacted;
      compacted.transcript.epoch = 1;
      compacted.transcript.messages = {{Role::user, "in short", "", {}, {}}};
      auto writing = rig.log.add(std::move(compacted));
      CO_TRY_VOID(co_await std::move(writing));
      co_return true;
    };
    co_await rig.open();
    CHECK((co_await rig.run("go")).end == TurnEnd::answered);
    CHECK(rig.messages()[1].calls[0].id == "call-2");
    CHECK(rig.messages()[1].calls[1].id == "call-3");
  });
}
