#include "agents/compactor.hpp"

#include "tests/agents/agent_rig.hpp"
#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::agents;
using namespace fathom::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kContext = 1500;

/// A rig whose context is small and whose turn driver compacts.
struct CompactingRig : AgentRig {
  CompactingRig(Simulator& simulator, Disk& on_disk) : AgentRig(simulator, on_disk) {
    engine.change_info().context_tokens = kContext;
    compact = [this]() -> asio::awaitable<Result<bool>> {
      Compactor compactor({log, *model, ledger, {}, {}});
      auto running = compactor.run();
      co_return co_await std::move(running);
    };
  }
  void read_much(int calls) {
    for (int i = 0; i < calls; ++i)
      script().call({call("look", std::to_string(i) + std::string(900, 'x'))});
  }
};

std::string data_of(const Disk& disk, std::string_view type) {
  for (const trace::Event& event : disk.events)
    if (event.what.type == type) return event.what.data;
  return "";
}

std::size_t count(const Disk& disk, std::string_view type) {
  return static_cast<std::size_t>(std::ranges::count(disk.types(), type));
}

}  // namespace

TEST_CASE("a full transcript is replaced by a summary that the model wrote", "[agents]") {
  Disk disk;
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    CompactingRig rig(simulator, disk);
    rig.read_much(3);
    rig.script().say("I have looked at three things.", {900, 800, 20, 0});
    rig.script().say("all done");
    co_await rig.open();
    const TurnReport report = co_await rig.run("look at three things");
    CHECK(report.end == TurnEnd::answered);
    CHECK(report.answer == "all done");
    CHECK(rig.log.state().transcript().epoch == 1);
    CHECK(rig.messages()[0].text.find("# Summary\nI have looked at three things.\n") !=
          std::string::npos);
    CHECK(rig.messages()[0].text.find("look at three things\n") != std::string::npos);
    // The question went where all is resident, and left no message behind.
    const std::vector<std::string>& bodies = rig.script().bodies;
    REQUIRE(bodies.size() == 5);
    const std::string_view before = std::string_view(bodies[2]).substr(0, bodies[2].size() - 2);
    CHECK(bodies[3].starts_with(before));
    CHECK(bodies[3].find(summary_question().text) != std::string::npos);
    CHECK_FALSE(rig.script().may_call[3]);
    for (const Message& message : rig.messages()) CHECK(message.text != summary_question().text);
    CHECK(disk.fold().transcript().messages == rig.messages());
    CHECK(disk.fold().spent().usage.completion_tokens == 20);
    CHECK(rig.ledger.spent().usage.completion_tokens == 20);
    CHECK(data_of(disk, "compaction.chosen").starts_with(R"({"how":"summary","before":)"));
  });
}

TEST_CASE("a model that fails to summarise costs the history, not the run", "[agents]") {
  Disk disk;
  const int trouble = GENERATE(0, 1, 2);
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    CompactingRig rig(simulator, disk);
    rig.read_much(3);
    std::string refused;
    if (trouble == 0) {
      rig.script().fail_with(engine::FaultClass::refused, "scripted: not today");
      refused = "scripted: not today";
    } else if (trouble == 1) {
      rig.script().say(" ");
      refused = "the summary is empty";
    } else {
      rig.script().call({call("look", "more")}, "Let me look.");
      refused = "the model made calls instead of a summary";
    }
    rig.script().say("all done");
    co_await rig.open();
    const TurnReport report = co_await rig.run("look at three things");
    CHECK(report.end == TurnEnd::answered);
    CHECK(data_of(disk, "compaction.chosen")
              .starts_with(R"({"how":"truncation","refused":")" + refused + '"'));
    CHECK(rig.messages()[0].text.find("look at three things") != std::string::npos);
    CHECK(disk.fold().transcript().messages == rig.messages());
  });
}

TEST_CASE("a transcript that cannot be made shorter is left alone until the engine refuses it",
          "[agents]") {
  Disk disk;
  const bool is_refused = GENERATE(false, true);
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    CompactingRig rig(simulator, disk);
    rig.script().say("a summary");
    if (is_refused) {
      rig.script().fail_with(engine::FaultClass::overflow, "scripted: too long");
      rig.script().say("a summary");
    } else {
      rig.script().call({call("look", "a")});
      rig.script().say("all done");
    }
    co_await rig.open();
    const TurnReport report = co_await rig.run(std::string(6000, 't'));
    CHECK(report.end == (is_refused ? TurnEnd::engine_error : TurnEnd::answered));
    CHECK(count(disk, "compaction.started") == (is_refused ? 2 : 1));
    CHECK(count(disk, "compaction.failed") == count(disk, "compaction.started"));
    CHECK(data_of(disk, "compaction.failed").find("nothing got smaller") != std::string::npos);
    CHECK(rig.log.state().transcript().epoch == 0);
  });
}

TEST_CASE("the journal up to a compaction's beginning gives the transcript as it was", "[agents]") {
  Disk disk;
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    CompactingRig rig(simulator, disk);
    rig.read_much(3);
    rig.script().say("a summary");
    rig.script().say("all done");
    co_await rig.open();
    engine::Transcript before;
    rig.on_event = [&](const trace::Event& event) {
      if (event.what.type == "compaction.started") before = rig.log.state().transcript();
    };
    (void)co_await rig.run("look");
    SessionState state;
    for (const trace::Event& event : disk.events) {
      REQUIRE(state.apply_trace(event, disk.blobs));
      if (event.what.type == "compaction.started") break;
    }
    CHECK(state.transcript().messages == before.messages);
    CHECK(before.messages.size() == 7);
  });
}

TEST_CASE("an interrupted compaction leaves the transcript and ends the turn", "[agents]") {
  Disk disk;
  const bool has_message = GENERATE(false, true);
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    CompactingRig rig(simulator, disk);
    rig.read_much(3);
    rig.script().say("a summary that takes its time");
    rig.script().steps.back().takes = 60s;
    rig.script().say("another summary");
    rig.script().say("stopped as you wish");
    co_await rig.open();
    TaskGroup group(simulator.executor());
    group.spawn([](Clock& clock, Control& control, bool steers) -> asio::awaitable<void> {
      co_await clock.sleep_for(10s);
      if (steers) CHECK(control.steer({"", "stop that", {}}));
      control.interrupt();
    }(simulator.clock(), rig.control, has_message));
    const TurnReport report = co_await rig.run("look");
    co_await group.join();
    CHECK(data_of(disk, "compaction.failed") == R"({"why":"interrupted"})");
    CHECK(report.end == (has_message ? TurnEnd::answered : TurnEnd::cancelled));
    CHECK(rig.log.state().transcript().epoch == (has_message ? 1 : 0));
    if (has_message) CHECK(rig.messages()[0].text.find("stop that") != std::string::npos);
    CHECK(disk.fold().transcript().messages == rig.messages());
  });
}

TEST_CASE("a program that dies anywhere in a compaction resumes and finishes the turn",
          "[agents]") {
  std::size_t events = 1000;
  for (std::size_t dies_at = 1; dies_at < events; ++dies_at) {
    CAPTURE(dies_at);
    Disk disk;
    bool has_died = false;
    const auto script = [](AgentRig& rig) {
      rig.script().otherwise = [](const engine::Transcript& asked) {
        Script one;
        if (asked.messages.back().text == summary_question().text)
          one.say("I have looked at things.");
        else if (asked.epoch == 0)
          one.call({call("look", std::to_string(asked.messages.size()) + std::string(900, 'x'))});
        else
          one.say("all done");
        return one.steps.front();
      };
    };
    run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
      CompactingRig rig(simulator, disk);
      script(rig);
      co_await rig.open();
      // What comes after the death is not written: for the journal it has not happened.
      rig.appends_left = dies_at;
      engine::UserSaid said;
      said.text = "look at three things";
      auto running = rig.driver->run(std::move(said));
      const auto report = co_await std::move(running);
      has_died = !report;
    });
    if (!has_died) {
      events = dies_at;
      break;
    }
    if (!disk.fold().is_turn_open()) continue;  // it never began
    run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
      CompactingRig rig(simulator, disk);
      script(rig);
      co_await rig.open();
      auto resuming = rig.driver->resume();
      const auto report = co_await std::move(resuming);
      REQUIRE(report);
      CHECK(report->end == TurnEnd::answered);
      CHECK(report->answer == "all done");
      CHECK(rig.log.state().transcript().epoch == 1);
      CHECK(rig.messages()[0].text.find("look at three things") != std::string::npos);
      CHECK(disk.fold().transcript().messages == rig.messages());
    });
  }
  CHECK(events > 20);
  CHECK(events < 1000);
}
