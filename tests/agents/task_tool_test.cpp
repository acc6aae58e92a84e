#include "agents/task_tool.hpp"

#include "tests/agents/agent_rig.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <deque>

using namespace fathom;
using namespace fathom::agents;
using namespace fathom::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// What sub-agents of a test do, and what was done with them.
struct Plans {
  struct Plan {
    Duration takes{};
    Result<TaskAnswer> answer = TaskAnswer{TurnEnd::answered, "found it", "", 3};
    Spent spent{};
  };
  std::deque<Plan> plans;
  std::vector<std::string> prompts;
  std::vector<std::string> opened;
  std::vector<Budget> budgets;
  std::vector<int> exit_codes;
  std::optional<Error> cannot_open;
  std::size_t alive = 0;
};

class FakeSubAgent final : public SubAgent {
 public:
  FakeSubAgent(Clock& clock, Plans& plans) : clock_(clock), plans_(plans) {
    if (!plans.plans.empty()) {
      plan_ = std::move(plans.plans.front());
      plans.plans.pop_front();
    }
    ++plans_.alive;
  }
  ~FakeSubAgent() override { --plans_.alive; }
  [[nodiscard]] const RunId& run() const override { return run_; }
  [[nodiscard]] Spent spent() const override { return plan_.spent; }
  asio::awaitable<Result<TaskAnswer>> answer(std::string prompt) override {
    plans_.prompts.push_back(std::move(prompt));
    if (plan_.takes.count() != 0) co_await clock_.sleep_for(plan_.takes);
    co_return plan_.answer;
  }
  asio::awaitable<Result<>> close(int exit_code) override {
    co_await clock_.sleep_for(1ms);  // ending takes its time, cancelled or not
    plans_.exit_codes.push_back(exit_code);
    co_return Result<>{};
  }

 private:
  Clock& clock_;
  Plans& plans_;
  Plans::Plan plan_;
  RunId run_;
};

class FakeHost final : public TaskHost {
 public:
  FakeHost(AgentRig& rig, Plans& plans) : rig_(rig), plans_(plans) {}
  [[nodiscard]] Instant now() const override { return rig_.clock.now(); }
  [[nodiscard]] Ledger& ledger() override { return rig_.ledger; }
  [[nodiscard]] std::uint64_t tasks() const override { return rig_.log.state().tasks(); }
  Result<> write(std::string_view type, std::string data) override {
    trace::EventDraft draft;
    draft.type = type;
    draft.data = std::move(data);
    TRY(rig_.log.write(std::move(draft)));
    return {};
  }
  asio::awaitable<Result<std::unique_ptr<SubAgent>>> open(std::string agent,
                                                          Budget budget) override {
    if (plans_.cannot_open) co_return fail(*plans_.cannot_open);
    plans_.opened.push_back(std::move(agent));
    plans_.budgets.push_back(budget);
    co_return std::make_unique<FakeSubAgent>(rig_.clock, plans_);
  }

 private:
  AgentRig& rig_;
  Plans& plans_;
};

TaskTool::Options two_agents() {
  TaskTool::Options options;
  options.fork = {"", "", false, {}};
  options.agents = {{"explorer", "Looks around.", true, {}}, {"fixer", "Mends.", false, {}}};
  return options;
}

template <class Body>
void with_task(Body body, TaskTool::Options options = two_agents(), agents::Budget budget = {}) {
  Disk disk;
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    AgentRig rig(simulator, disk, budget);
    Plans plans;
    FakeHost host(rig, plans);
    rig.bodies.push_back(std::make_unique<TaskTool>(host, options));
    co_await body(rig, plans);
    CHECK(plans.alive == 0);
    CHECK(disk.fold().transcript().messages == rig.messages());
    CHECK(disk.fold().tasks() == rig.log.state().tasks());
    CHECK(disk.fold().spent() == rig.log.state().spent());
  });
}

ToolCall task(std::string prompt, std::string agent = "") {
  json arguments{{"prompt", std::move(prompt)}};
  if (!agent.empty()) arguments["agent"] = std::move(agent);
  return {"", "task", arguments.dump(), ""};
}

std::vector<json> events_of(const Disk& disk, std::string_view type) {
  std::vector<json> found;
  for (const trace::Event& event : disk.events)
    if (event.what.type == type) found.push_back(json::parse(event.what.data));
  return found;
}

}  // namespace

TEST_CASE("a sub-agent's last words are the result of the call", "[agents]") {
  with_task([](AgentRig& rig, Plans& plans) -> asio::awaitable<void> {
    Spent spent;
    spent.usage = {1000, 400, 50, 0};
    plans.plans.push_back({1s, TaskAnswer{TurnEnd::answered, "in a.cpp", "", 3}, spent});
    rig.script().call({task("where is it?", "explorer")});
    rig.script().say("done");
    co_await rig.open();
    (void)co_await rig.run("go");
    const ToolResult& result = rig.messages()[2].results[0];
    CHECK(result.status == ToolStatus::ok);
    CHECK(result.content == "in a.cpp");
    CHECK(plans.opened == std::vector<std::string>{"explorer"});
    CHECK(plans.prompts == std::vector<std::string>{"where is it?"});
    CHECK(plans.exit_codes == std::vector<int>{0});
    const auto begun = events_of(rig.disk, "agent.task");
    REQUIRE(begun.size() == 1);
    CHECK(begun[0]["agent"] == "explorer");
    CHECK(begun[0]["depth"] == 1);
    const auto ended = events_of(rig.disk, "agent.task_finished");
    REQUIRE(ended.size() == 1);
    CHECK(ended[0]["end"] == "answered");
    CHECK(ended[0]["prompt_tokens"] == 1000);
    CHECK(rig.ledger.spent().tokens() == 650);
    CHECK(rig.log.state().spent().usage.prompt_tokens == 1000);
  });
}

TEST_CASE("a fork is told that it is one", "[agents]") {
  with_task([](AgentRig& rig, Plans& plans) -> asio::awaitable<void> {
    rig.script().call({task("look at b")});
    rig.script().say("done");
    co_await rig.open();
    (void)co_await rig.run("go");
    CHECK(plans.opened == std::vector<std::string>{""});
    REQUIRE(plans.prompts.size() == 1);
    CHECK(plans.prompts[0].starts_with("[You are a fork of this session"));
    CHECK(plans.prompts[0].ends_with("\n\nlook at b"));
  });
}

TEST_CASE("a sub-agent that does not come to an answer is a failed call with its last words",
          "[agents]") {
  with_task([](AgentRig& rig, Plans& plans) -> asio::awaitable<void> {
    plans.plans.push_back(
        {{}, TaskAnswer{TurnEnd::budget, "I was at a.cpp", "tokens 99 of 100", 3}, {}});
    plans.plans.push_back({{}, TaskAnswer{TurnEnd::answered, "done", "none of 2", 3}, {}});
    plans.plans.push_back({{}, fail(ErrorCode::disk_full, "journal: disk full"), {}});
    rig.script().call({task("a", "fixer"), task("b", "fixer"), task("c", "fixer")});
    rig.script().say("done");
    co_await rig.open();
    (void)co_await rig.run("go");
    const auto& results = rig.messages()[2].results;
    REQUIRE(results.size() == 3);
    CHECK(results[0].status == ToolStatus::failed);
    CHECK(results[0].content ==
          "the sub-agent did not do it (budget): tokens 99 of 100; its last words:\n"
          "I was at a.cpp");
    CHECK(results[1].status == ToolStatus::failed);
    CHECK(results[2].content == "error: task: journal: disk full");
    CHECK(plans.exit_codes == std::vector<int>{14, 10, 12});
  });
}

TEST_CASE("sub-agents that only read run side by side, others one after the other", "[agents]") {
  for (const bool reads : {true, false})
    with_task([reads](AgentRig& rig, Plans& plans) -> asio::awaitable<void> {
      for (int i = 0; i < 3; ++i) plans.plans.push_back({10s, TaskAnswer{}, {}});
      const std::string agent = reads ? "explorer" : "fixer";
      rig.script().call({task("a", agent), task("b", agent), task("c", agent)});
      rig.script().say("done");
      co_await rig.open();
      const Instant began = rig.clock.now();
      (void)co_await rig.run("go");
      const Duration took = rig.clock.now() - began;
      CHECK(took / 10s == (reads ? 1 : 3));
    });
}

TEST_CASE("a run starts a bounded number of sub-agents", "[agents]") {
  with_task([](AgentRig& rig, Plans& plans) -> asio::awaitable<void> {
    for (int sample = 0; sample < 2; ++sample) {
      std::vector<ToolCall> calls;
      for (int i = 0; i < 10; ++i) calls.push_back(task(std::to_string(i), "explorer"));
      rig.script().call(std::move(calls));
    }
    rig.script().say("done");
    co_await rig.open();
    (void)co_await rig.run("go");
    CHECK(plans.opened.size() == kTasksPerRunMax);
    CHECK(rig.log.state().tasks() == kTasksPerRunMax);
    const ToolResult& last = rig.messages()[4].results.back();
    CHECK(last.status == ToolStatus::failed);
    CHECK(last.content.find("16 sub-agents were started") != std::string::npos);
  });
}

TEST_CASE("a sub-agent at the greatest depth starts no further ones", "[agents]") {
  TaskTool::Options options = two_agents();
  options.depth = kTaskDepthMax;
  with_task(
      [](AgentRig& rig, Plans& plans) -> asio::awaitable<void> {
        rig.script().call({task("a")});
        rig.script().say("done");
        co_await rig.open();
        (void)co_await rig.run("go");
        CHECK(rig.messages()[2].results[0].status == ToolStatus::denied);
        CHECK(plans.opened.empty());
      },
      options);
}

TEST_CASE("a task that is none is refused before anything is started", "[agents]") {
  with_task([](AgentRig& rig, Plans& plans) -> asio::awaitable<void> {
    rig.script().call({task(" \n"), task("a", "nobody"), {"", "task", "{}", ""}});
    rig.script().say("done");
    co_await rig.open();
    (void)co_await rig.run("go");
    for (const ToolResult& result : rig.messages()[2].results)
      CHECK(result.status == ToolStatus::failed);
    CHECK(plans.opened.empty());
    const ToolCall long_one = task(std::string(kTaskPromptBytesMax + 1, 'x'));
    const auto arguments = tools::Arguments::parse(long_one.arguments);
    REQUIRE(arguments);
    CHECK_FALSE(rig.tools.find("task")->tool->intent(*arguments));
  });
}

TEST_CASE("a sub-agent spends at most what its parent has left, and the rest comes back",
          "[agents]") {
  agents::Budget budget;
  budget.tokens = 10'000;
  budget.wrap_up = 0;
  with_task(
      [](AgentRig& rig, Plans& plans) -> asio::awaitable<void> {
        Spent spent;
        spent.usage = {1900, 0, 100, 0};
        plans.plans.push_back({{}, TaskAnswer{}, spent});
        rig.script().call({task("a", "fixer")});
        rig.script().call({task("b", "fixer")});
        rig.script().say("done");
        co_await rig.open();
        (void)co_await rig.run("go");
        REQUIRE(plans.budgets.size() == 2);
        CHECK(plans.budgets[0].tokens == 5'000);
        CHECK(plans.budgets[1].tokens == 4'000);
        CHECK(rig.ledger.spent().tokens() == 2'000);
        CHECK(rig.ledger.reason(rig.clock.now()).empty());
      },
      two_agents(), budget);
}

TEST_CASE("a sub-agent that cannot be started costs nothing", "[agents]") {
  agents::Budget budget;
  budget.tokens = 10'000;
  with_task(
      [](AgentRig& rig, Plans& plans) -> asio::awaitable<void> {
        plans.cannot_open = Error{ErrorCode::network, "engine: nobody listens"};
        rig.script().call({task("a", "fixer")});
        rig.script().say("done");
        co_await rig.open();
        (void)co_await rig.run("go");
        CHECK(rig.messages()[2].results[0].content ==
              "error: task of fixer: engine: nobody listens");
        CHECK(rig.log.state().tasks() == 0);
        CHECK(rig.ledger.state(rig.clock.now()) == BudgetState::open);
      },
      two_agents(), budget);
}

TEST_CASE("who interrupts a turn ends its sub-agents and waits for their end", "[agents]") {
  const agents::Budget budget;  // one of tokens would all be set aside for the first
  with_task(
      [](AgentRig& rig, Plans& plans) -> asio::awaitable<void> {
        plans.plans.push_back({1h, TaskAnswer{}, {}});
        plans.plans.push_back({1h, TaskAnswer{}, {}});
        rig.script().call({task("a", "explorer"), task("b", "explorer")});
        co_await rig.open();
        TaskGroup group(co_await asio::this_coro::executor);
        group.spawn([](AgentRig& stopping) -> asio::awaitable<void> {
          co_await stopping.clock.sleep_for(5s);
          stopping.control.interrupt();
        }(rig));
        const Instant began = rig.clock.now();
        const TurnReport report = co_await rig.run("go");
        co_await group.join();
        CHECK(report.end == TurnEnd::cancelled);
        CHECK(rig.clock.now() - began < 6s);
        CHECK(plans.exit_codes == std::vector<int>{130, 130});
        const auto ended = events_of(rig.disk, "agent.task_finished");
        REQUIRE(ended.size() == 2);
        CHECK(ended[0]["end"] == "cancelled");
        CHECK(rig.ledger.state(rig.clock.now()) == BudgetState::open);
      },
      two_agents(), budget);
}

TEST_CASE("a model is told of the agents that there are, in the document's order", "[agents]") {
  Disk disk;
  run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    AgentRig rig(simulator, disk);
    Plans plans;
    FakeHost host(rig, plans);
    const TaskTool tool(host, two_agents());
    CHECK(tool.spec().description.ends_with("\nexplorer: Looks around.\nfixer: Mends."));
    CHECK(json::parse(tool.spec().parameters)["properties"]["agent"]["enum"] ==
          json::array({"explorer", "fixer"}));
    CHECK(json::parse(tool.spec().parameters)["required"] == json::array({"prompt"}));
    co_return;
  });
}
