// The bash tool over scripted commands: who waits for what, on virtual time.
#include "tools/shell/bash_tool.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/support/scripted_commands.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace fathom::tools {
namespace {

using namespace std::chrono_literals;
using test::ScriptedCommand;
using test::ScriptedCommands;

struct Bench {
  explicit Bench(Simulator& simulator)
      : clock(simulator.clock()), commands(clock), bash(commands, clock, "/work") {}

  asio::awaitable<Result<ToolOutput>> call(std::string json) {
    const auto arguments = Arguments::parse(json);
    REQUIRE(arguments);
    const std::string id = "call";
    const Call what{id, *arguments, {}};
    auto running = bash.run(what);
    co_return co_await std::move(running);
  }

  Clock& clock;
  ScriptedCommands commands;
  BashTool bash;
};

nlohmann::json data_of(const Result<ToolOutput>& output) {
  REQUIRE(output);
  return nlohmann::json::parse(output->data);
}

/// The states that the n-th command was told to restore and to save to.
std::string restored_by(const Bench& bench, std::size_t n) {
  return bench.commands.started.at(n).argv.at(7);
}
std::string saved_by(const Bench& bench, std::size_t n) {
  return bench.commands.started.at(n).argv.at(6);
}

ScriptedCommand killed_by_itself() {
  ScriptedCommand script;
  script.outcome.signal = 9;
  script.outcome.end(sandbox::Ending::signalled, "");
  return script;
}

TEST_CASE("each command restores what the ones before it saved", "[tools]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator);
    for (int i = 0; i < 3; ++i) {
      bench.commands.will(ScriptedCommand::exits(i, "out\n"));
      const auto output = co_await bench.call(R"({"command":"make"})");
      CHECK(data_of(output)["exit_code"] == i);
    }
    CHECK(restored_by(bench, 0).empty());
    CHECK(restored_by(bench, 2) == saved_by(bench, 1) + " " + saved_by(bench, 0));
    CHECK(bench.bash.jobs_text().empty());
    co_await bench.bash.close();
  });
}

TEST_CASE("a command that died is passed over by the next, and it is said", "[tools]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator);
    bench.commands.will(ScriptedCommand::exits(0));
    bench.commands.will(killed_by_itself());
    bench.commands.will(ScriptedCommand::exits(0));
    (void)co_await bench.call(R"({"command":"cd /usr"})");
    const auto died = co_await bench.call(R"({"command":"kill -9 $$"})");
    REQUIRE(died);
    CHECK(died->status == ToolStatus::failed);
    CHECK(died->notes.find("the shell died") != std::string::npos);
    (void)co_await bench.call(R"({"command":"pwd"})");
    CHECK(restored_by(bench, 2) == saved_by(bench, 0));
    co_await bench.bash.close();
  });
}

TEST_CASE("a command that outlasts its wait goes on as a job and is reported when it ends",
          "[tools]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator);
    ScriptedCommand make = ScriptedCommand::exits(2);
    make.prints = {{1s, "compiling\n"}, {199s, "done\n"}};
    bench.commands.will(make);
    bench.commands.will(ScriptedCommand::exits(0, "", 100s));
    bench.commands.will(ScriptedCommand::exits(0));
    const Instant start = bench.clock.now();
    const auto waited = co_await bench.call(R"({"command":"make"})");
    CHECK(bench.clock.now() - start == kYieldTime);
    CHECK(data_of(waited)["job"] == 1);
    CHECK(data_of(waited)["running"] == true);
    CHECK(waited->text.text() == "compiling\n");
    CHECK(waited->status == ToolStatus::ok);
    CHECK(waited->notes ==
          "job 1 is running (120 s): action poll shows its output, action kill ends it\n"
          "[shell] until then cwd, variables and functions are those before this call\n");

    const auto other = co_await bench.call(R"({"command":"sleep 100"})");
    CHECK(restored_by(bench, 1).empty());  // not from the one that goes on
    CHECK(saved_by(bench, 1) != saved_by(bench, 0));
    CHECK(other->notes == "job 1 ended: exit code 2 (make): action poll shows its output\n");
    const auto third = co_await bench.call(R"({"command":"true"})");
    CHECK(third->notes.empty());  // said once
    CHECK(restored_by(bench, 2) == saved_by(bench, 1));

    const auto last = co_await bench.call(R"({"action":"poll","job":1})");
    CHECK(last->text.text() == "done\n");
    CHECK(data_of(last)["job"] == 1);
    const auto gone = co_await bench.call(R"({"action":"poll","job":1})");
    REQUIRE_FALSE(gone);
    CHECK(gone.error().message == "bash: there is no job 1: action list shows them");
    co_await bench.bash.close();
  });
}

TEST_CASE("a background command that fails at once is reported at once", "[tools]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator);
    bench.commands.will(ScriptedCommand::exits(127, "no such command\n", 10ms));
    const auto output = co_await bench.call(R"({"command":"serve","background":true})");
    CHECK(output->status == ToolStatus::failed);
    CHECK(output->text.text() == "no such command\n");
    CHECK(output->notes == "job 1 ended: exit code 127 (serve)\nexit code 127\n");
    CHECK(saved_by(bench, 0).empty());
    co_await bench.bash.close();
  });
}

TEST_CASE("a poll waits for output and until it is quiet, and counts what it dropped", "[tools]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator);
    bench.commands.will({{{2s, "starting\n"},
                          {100ms, "listening\n"},
                          {10s, std::string(1 << 20, 'x')},
                          {0s, "\nlast\n"}},
                         1000s,
                         {},
                         {}});
    const auto started = co_await bench.call(R"({"command":"serve","background":true})");
    CHECK(data_of(started)["running"] == true);
    CHECK(started->text.bytes == 0);
    const auto first = co_await bench.call(R"({"action":"poll","job":1})");
    CHECK(first->text.text() == "starting\nlistening\n");
    const auto nothing = co_await bench.call(R"({"action":"poll","job":1,"timeout_s":3})");
    CHECK(nothing->text.bytes == 0);
    const auto much = co_await bench.call(R"({"action":"poll","job":1,"timeout_s":60})");
    CHECK(much->text.bytes == (1 << 20) + 6);
    CHECK(much->text.bytes_cut > 0);
    CHECK(much->text.tail.ends_with("x\nlast\n"));
    co_await bench.bash.close();
    CHECK(bench.commands.killed == 1);
  });
}

TEST_CASE("kill waits for the job's end", "[tools]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator);
    bench.commands.will({{{50ms, "up\n"}}, 1000s, {}, {}});
    (void)co_await bench.call(R"({"command":"serve","background":true})");
    CHECK(bench.commands.running == 1);
    const auto killed = co_await bench.call(R"({"action":"kill","job":1})");
    CHECK(bench.commands.running == 0);
    CHECK(killed->status == ToolStatus::ok);
    CHECK(data_of(killed)["ending"] == "cancelled");
    CHECK(bench.bash.jobs_text().empty());
    co_await bench.bash.close();
  });
}

TEST_CASE("too many jobs are refused, and calls wait for one to be ended", "[tools]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator);
    for (std::size_t i = 0; i < kJobsMax + 1; ++i) bench.commands.will({{}, 5000s, {}, {}});
    for (std::size_t i = 0; i < kJobsMax; ++i)
      CHECK(co_await bench.call(R"({"command":"serve","background":true})"));
    const auto refused = co_await bench.call(R"({"command":"serve","background":true})");
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == Error{ErrorCode::in_use,
                                   "bash: 8 jobs are running: end one with action kill before "
                                   "starting another"});
    // A command that is waited for still has room, once.
    CHECK(data_of(co_await bench.call(R"({"command":"make","timeout_s":1})"))["job"] == 9);
    CHECK_FALSE(co_await bench.call(R"({"command":"make","timeout_s":1})"));
    CHECK(data_of(co_await bench.call(R"({"action":"list"})"))["jobs"].size() == 9);
    co_await bench.bash.close();
    CHECK(bench.commands.running == 0);
  });
}

TEST_CASE("jobs that nobody asks for are forgotten, oldest first", "[tools]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator);
    for (std::size_t i = 0; i < kEndedJobsMax + 4; ++i) {
      bench.commands.will(ScriptedCommand::exits(0, "x", 1s));
      (void)co_await bench.call(R"({"command":"work","background":true})");
      co_await bench.clock.sleep_for(2s);
    }
    const auto list = data_of(co_await bench.call(R"({"action":"list"})"))["jobs"];
    CHECK(list.size() == kEndedJobsMax);
    CHECK(list.front()["job"] == 5);
    co_await bench.bash.close();
  });
}

TEST_CASE("an error of the sandbox is the call's error, and costs the shell nothing", "[tools]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator);
    ScriptedCommand refused;
    refused.error = Error{ErrorCode::unsupported, "sandbox: not here"};
    bench.commands.will(refused);
    bench.commands.will(ScriptedCommand::exits(0));
    const auto output = co_await bench.call(R"({"command":"true"})");
    REQUIRE_FALSE(output);
    CHECK(output.error() == *refused.error);
    (void)co_await bench.call(R"({"command":"true"})");
    CHECK(restored_by(bench, 1).empty());
    co_await bench.bash.close();
  });
}

TEST_CASE("arguments that make no call are refused in one line", "[tools]") {
  Simulator simulator(1);
  const Bench bench(simulator);
  const auto refusal = [&](std::string_view json) {
    const auto intent = bench.bash.intent(*Arguments::parse(json));
    return intent ? "" : intent.error().message;
  };
  CHECK(refusal("{}") == "bash: send a command, or an action on jobs");
  CHECK(refusal(R"({"command":"x","action":"list"})") ==
        "bash: send either command or action, not both");
  CHECK(refusal(R"({"action":"poll"})") ==
        "bash: action poll needs job, a number that action list shows");
  CHECK(refusal("{\"command\":\"a\\u0000b\"}").starts_with("bash: the command holds a NUL"));
  CHECK(refusal(R"({"action":"list"})").empty());
}

TEST_CASE("a command is a write and is asked for as bash -c, looking at jobs is neither",
          "[tools]") {
  Simulator simulator(1);
  const Bench bench(simulator);
  const auto intent = [&](std::string_view json) {
    return bench.bash.intent(*Arguments::parse(json)).value();
  };
  const Intent command = intent(R"({"command":"git push"})");
  CHECK(command.effect == Effect::write);
  REQUIRE(command.requests.size() == 1);
  const auto& exec = std::get<policies::request::Exec>(command.requests.front());
  CHECK(exec.argv == std::vector<std::string>{"bash", "-c", "git push"});
  CHECK(exec.cwd == "/work");
  CHECK(intent(R"({"action":"poll","job":1})").effect == Effect::read);
  CHECK(intent(R"({"action":"kill","job":1})").effect == Effect::write);
}

// One thing more happens; time passes when there is nothing else. False when nothing can happen.
bool advance(Simulator& simulator) {
  return simulator.run_steps(1) == 1 || simulator.clock().jump();
}

/// A task of its own that a test cancels from outside. Started from inside the simulator: Asio 1.81
/// loses a coroutine that is cancelled before its first step.
struct Task {
  Task(Simulator& simulator, asio::awaitable<void> task) {
    bool started = false;
    asio::post(simulator.executor(), [&] {
      started = true;
      asio::co_spawn(simulator.executor(), std::move(task),
                     asio::bind_cancellation_slot(cancel.slot(), [this](std::exception_ptr error) {
                       over = true;
                       thrown = std::move(error);
                     }));
    });
    while (!started) REQUIRE(advance(simulator));
  }
  asio::cancellation_signal cancel;
  bool over = false;
  std::exception_ptr thrown;
};

asio::awaitable<void> call_and_drop(Bench& bench, std::string json) {
  (void)co_await bench.call(std::move(json));
}

/// False when the call had ended by itself before.
bool cancel_after(std::uint64_t steps, const std::string& json, int jobs_left) {
  Simulator simulator(steps + 1);
  Bench bench(simulator);
  bench.commands.will({{{50ms, "job\n"}}, 5000s, {}, {}});
  bench.commands.will({{{300ms, "one\n"}, {0s, "two\n"}}, 300ms, {}, {}});
  Task serve(simulator, call_and_drop(bench, R"({"command":"serve","background":true})"));
  while (!serve.over) REQUIRE(advance(simulator));
  Task task(simulator, call_and_drop(bench, json));
  for (std::uint64_t step = 0; step < steps && !task.over; ++step) REQUIRE(advance(simulator));
  const bool cancelled = !task.over;
  if (cancelled)
    asio::post(simulator.executor(), [&] {
      if (!task.over) task.cancel.emit(asio::cancellation_type::terminal);
    });
  while (!task.over) REQUIRE(advance(simulator));
  CHECK((task.thrown == nullptr || is_cancellation(task.thrown)));
  if (task.thrown) CHECK(bench.commands.running <= jobs_left);
  CHECK(bench.bash.jobs_text().starts_with("job 1: running"));
  Task close(simulator, bench.bash.close());
  while (!close.over) REQUIRE(advance(simulator));
  CHECK(bench.commands.running == 0);
  CHECK(close.thrown == nullptr);
  return cancelled;
}

TEST_CASE("cancelled at every step, a call takes its command along and no job", "[tools]") {
  struct Row {
    const char* json;
    int jobs_left;
  };
  for (const Row& row :
       {Row{R"({"command":"make"})", 1}, Row{R"({"action":"poll","job":1,"timeout_s":9})", 1},
        Row{R"({"command":"more","background":true})", 2}}) {
    std::uint64_t steps = 0;
    for (;; ++steps) {
      INFO(row.json << " cancelled after " << steps << " steps");
      REQUIRE(steps < 1000);
      if (!cancel_after(steps, row.json, row.jobs_left)) break;
    }
    CHECK(steps >= 3);
  }
}

TEST_CASE("a kill that is cancelled still waits for the job's end", "[tools]") {
  for (std::uint64_t steps = 0; steps < 30; ++steps) {
    INFO("cancelled after " << steps << " steps");
    Simulator simulator(steps + 1);
    Bench bench(simulator);
    bench.commands.will({{{50ms, "job\n"}}, 5000s, {}, {}});
    Task serve(simulator, call_and_drop(bench, R"({"command":"serve","background":true})"));
    while (!serve.over) REQUIRE(advance(simulator));
    Task kill(simulator, call_and_drop(bench, R"({"action":"kill","job":1})"));
    for (std::uint64_t step = 0; step < steps && !kill.over; ++step) REQUIRE(advance(simulator));
    asio::post(simulator.executor(), [&] {
      if (!kill.over) kill.cancel.emit(asio::cancellation_type::terminal);
    });
    while (!kill.over) REQUIRE(advance(simulator));
    CHECK(bench.commands.running + bench.commands.killed == 1);  // either not yet, or wholly
    Task close(simulator, bench.bash.close());
    while (!close.over) REQUIRE(advance(simulator));
    CHECK(bench.commands.running == 0);
  }
}

}  // namespace
}  // namespace fathom::tools
