// run_tests, cancelled wherever it can be.
#include "runtime/async/cancellation.hpp"
#include "tests/support/cancellable_task.hpp"
#include "tests/support/scripted_commands.hpp"
#include "tools/run_tests.hpp"

#include <chrono>

namespace fathom::tools {
namespace {

using namespace std::chrono_literals;
using test::ScriptedCommand;

constexpr auto kRed = R"(<testsuite name="s"><testcase name="a"/>)"
                      R"(<testcase name="b"><failure message="1 != 2"/></testcase></testsuite>)";

// Keeps in memory, and takes its time as a disk does.
class SlowKeeper final : public BaselineKeeper {
 public:
  SlowKeeper(Clock& clock, std::optional<KeptBaseline>& kept) : clock_(clock), kept_(kept) {}

  asio::awaitable<std::optional<KeptBaseline>> last() override {
    co_await clock_.sleep_for(1ms);
    co_return kept_;
  }
  asio::awaitable<Result<>> keep(std::vector<std::string> command, Baseline cases) override {
    co_await clock_.sleep_for(1ms);
    kept_ = KeptBaseline{"this", "/repo", std::move(command), std::move(cases)};
    co_return Result<>();
  }

 private:
  Clock& clock_;
  std::optional<KeptBaseline>& kept_;
};

TestSettings settings() {
  TestSettings settings;
  settings.command = {"./run", "--xml={report}"};
  settings.reruns = 1;
  return settings;
}

struct Stage {
  explicit Stage(Simulator& simulator)
      : commands(simulator.clock()),
        tool(commands, "/repo", settings(), std::make_unique<SlowKeeper>(simulator.clock(), kept)) {
    script_call();
  }

  // A run and a rerun of what was red.
  void script_call() {
    for (int run = 0; run < 2; ++run) {
      commands.will(ScriptedCommand::exits(0, "/tmp/fathom-tests-1\n", 1ms));
      ScriptedCommand tests = ScriptedCommand::exits(1, "chatter\n", 1s);
      tests.then = 1s;
      commands.will(std::move(tests));
      commands.will(ScriptedCommand::exits(0, kRed, 1ms));
      commands.will(ScriptedCommand::exits(0, "", 1ms));
    }
  }

  asio::awaitable<void> call() {
    const auto arguments = Arguments::parse("{}");
    const std::string id = "call";
    const Call what{id, *arguments, {}};
    auto running = tool.run(what);
    output = co_await std::move(running);
  }

  std::optional<KeptBaseline> kept =
      KeptBaseline{"earlier", "/repo", {"./run", "--xml={report}"}, {{"s::b", CaseStatus::passed}}};
  test::ScriptedCommands commands;
  RunTests tool;
  Result<ToolOutput> output = fail(ErrorCode::io, "it did not answer");
};

TEST_CASE("cancelled at every step, a run of tests takes its commands along and keeps nothing half",
          "[tools][sim]") {
  std::uint64_t steps = 0;
  for (;; ++steps) {
    INFO("cancelled after " << steps << " steps");
    REQUIRE(steps < 1'000);
    Simulator simulator(steps + 1);
    Stage stage(simulator);
    test::CancellableTask task(simulator, stage.call());
    const bool is_cancelled = task.cancel_after(steps);
    CHECK(stage.commands.running == 0);
    CHECK((task.thrown() == nullptr || is_cancellation(task.thrown())));
    REQUIRE(stage.kept);
    if (task.thrown()) CHECK(stage.kept->run == "earlier");
    if (!is_cancelled) break;
    // Whoever asks next gets a whole answer that starts from a whole run.
    Stage next(simulator);
    next.kept = stage.kept;
    test::CancellableTask again(simulator, next.call());
    again.finish();
    REQUIRE(next.output);
    CHECK(next.output->digest.find("1 rerun: 1 broken") != std::string::npos);
    const bool is_new = stage.kept->run == "earlier";
    CHECK(next.output->digest.ends_with(is_new
                                            ? "against run earlier: 1 newly failing (s::b); 1 new"
                                            : "against run this: 1 still failing"));
  }
  CHECK(steps > 20);
}

}  // namespace
}  // namespace fathom::tools
