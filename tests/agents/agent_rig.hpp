// AgentRig: a session's machinery around a scripted engine and simple tools, on virtual time, with
// its journal in memory.
#pragma once

#include "agents/turn_driver.hpp"
#include "runtime/async/simulator.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/support/scripted_engine.hpp"
#include "tests/support/temp_dir.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fathom::test {

/// A tool that answers what a function says, after some time.
class FunctionTool final : public tools::Tool {
 public:
  struct Answer {
    std::string text;
    Duration takes{};
    std::optional<Error> error;
    std::vector<std::string> changed{};
  };
  using Body = std::function<Answer(const std::string& argument)>;

  /// `command`: asks the policy whether it may run that; empty asks nothing.
  FunctionTool(std::string name, tools::Effect effect, Clock& clock, Body body,
               std::string command = "")
      : spec_{std::move(name), "",
              R"({"type":"object","properties":{"text":{"type":"string"}},)"
              R"("additionalProperties":false})"},
        effect_(effect),
        clock_(clock),
        body_(std::move(body)),
        command_(std::move(command)) {}

  [[nodiscard]] const tools::ToolSpec& spec() const override { return spec_; }
  [[nodiscard]] Result<tools::Intent> intent(const tools::Arguments&) const override {
    tools::Intent intent{effect_, {}};
    if (!command_.empty()) intent.requests.emplace_back(policies::request::Exec{{command_}, "/w"});
    return intent;
  }
  asio::awaitable<Result<tools::ToolOutput>> run(const tools::Call& call) override {
    const Answer answer = body_(call.arguments.text("text").value_or(""));
    if (answer.takes.count() != 0) co_await clock_.sleep_for(answer.takes);
    if (answer.error) co_return fail(*answer.error);
    tools::ToolOutput output = tools::ToolOutput::of(answer.text);
    output.changed = answer.changed;
    co_return output;
  }

 private:
  tools::ToolSpec spec_;
  tools::Effect effect_;
  Clock& clock_;
  Body body_;
  std::string command_;
};

/// The journal, and what survives the death of everything else.
struct Disk {
  TempDir dir;
  trace::BlobStore blobs = trace::BlobStore::open(dir.path() / "blobs").value();
  OffloadPool offload;
  std::vector<trace::Event> events;

  [[nodiscard]] agents::SessionState fold() const {
    agents::SessionState state;
    for (const trace::Event& event : events) REQUIRE(state.apply_trace(event, blobs));
    return state;
  }
  [[nodiscard]] std::vector<std::string> types() const {
    std::vector<std::string> types;
    for (const trace::Event& event : events) types.push_back(event.what.type);
    return types;
  }
};

struct AgentRig {
  AgentRig(Simulator& simulator, Disk& on_disk, agents::Budget budget = {})
      : clock(simulator.clock()),
        disk(on_disk),
        engine(clock),
        control(simulator.executor()),
        ledger(budget, clock.now()),
        log([this](trace::EventDraft draft) { return append(std::move(draft)); }, disk.blobs,
            disk.offload, disk.fold()) {
    policy.filesystem.workspace_root = "/w";
    add_tool("look", tools::Effect::read,
             [](const std::string& text) { return FunctionTool::Answer{"seen " + text, {}, {}}; });
    add_tool("change", tools::Effect::write, [](const std::string& text) {
      return FunctionTool::Answer{"changed " + text, {}, {}};
    });
  }

  void add_tool(std::string name, tools::Effect effect, FunctionTool::Body body,
                std::string command = "") {
    bodies.push_back(std::make_unique<FunctionTool>(std::move(name), effect, clock, std::move(body),
                                                    std::move(command)));
  }

  /// After all tools are there.
  asio::awaitable<void> open(agents::TurnLimits limits = {}) {
    tools = tools::ToolSet::create(std::move(bodies)).value();
    tools::DispatchServices services{clock,   disk.offload, policy, "/w", {}, nullptr,
                                     nullptr, {},           {},     {},   {}};
    services.events = [this](trace::EventDraft draft) { return log.write(std::move(draft)); };
    services.blobs = &disk.blobs;
    services.approve = approve;
    services.snapshot = snapshot;
    dispatcher.emplace(tools, std::move(services));
    if (!log.state().started()) {
      engine::AgentStarted started;
      started.agent = "tester";
      started.engine = "scripted";
      started.setup.system = "You test.";
      auto writing = log.add(started);
      REQUIRE(co_await std::move(writing));
    }
    engine::SessionSetup setup = log.state().started()->setup;
    model.emplace(agents::ModelCaller::Services{clock, log, 1, retry}, engine,
                  engine.open(std::move(setup)).value());
    make_driver(limits);
  }

  /// Another driver for the same session.
  void make_driver(agents::TurnLimits limits = {}) {
    agents::TurnDriver::Services driving{
        clock,     log, *model, *dispatcher, ledger, guard,   control,    compact,
        workspace, {},  {},     find_fault,  guide,  is_idle, check_edit, escalate};
    driver.emplace(std::move(driving), limits);
  }

  asio::awaitable<agents::TurnReport> run(std::string text) {
    engine::UserSaid said;
    said.text = std::move(text);
    said.turn = log.state().turns() + 1;
    auto running = driver->run(std::move(said));
    auto report = co_await std::move(running);
    REQUIRE(report);
    co_return *report;
  }

  Script& script() { return *engine.script; }
  [[nodiscard]] const std::vector<Message>& messages() const {
    return log.state().transcript().messages;
  }

  Result<trace::Position> append(trace::EventDraft draft) {
    if (appends_left == 0 || is_dead) return fail(ErrorCode::disk_full, "journal: disk full");
    --appends_left;
    if (trace::durability_of(draft.type) == trace::Durability::ephemeral)
      return trace::Position{disk.events.size(), 1};
    if (disk.events.size() + 1 == fails_at) {
      fails_at = SIZE_MAX;
      return fail(ErrorCode::disk_full, "journal: disk full");
    }
    trace::Event event;
    event.what = std::move(draft);
    event.at.seq = disk.events.size() + 1;
    disk.events.push_back(std::move(event));
    if (on_event) on_event(disk.events.back());
    is_dead = disk.events.size() >= dies_at;
    if (is_dead) return fail(ErrorCode::io, "nobody hears this");
    return disk.events.back().at;
  }

  Clock& clock;
  Disk& disk;
  ScriptedEngine engine;
  agents::Control control;
  agents::Ledger ledger;
  agents::Guard guard;
  agents::SessionLog log;
  policies::Policy policy;
  std::vector<std::unique_ptr<tools::Tool>> bodies;
  tools::ToolSet tools;
  std::optional<tools::Dispatcher> dispatcher;
  std::optional<agents::ModelCaller> model;
  std::optional<agents::TurnDriver> driver;
  agents::RetryRules retry;
  tools::Approver approve;
  tools::Snapshotter snapshot;
  std::function<asio::awaitable<Result<bool>>()> compact;
  std::function<std::optional<std::string>()> workspace;
  std::function<std::optional<std::string>(std::string_view)> find_fault;
  std::function<asio::awaitable<Result<>>(engine::RequestLimits&)> guide;
  std::function<bool(const ToolCall&)> is_idle;
  std::function<asio::awaitable<Result<std::optional<bool>>>()> check_edit;
  std::function<asio::awaitable<Result<bool>>(std::string_view)> escalate;
  std::size_t appends_left = SIZE_MAX;
  std::size_t fails_at = SIZE_MAX;  ///< the seq that is refused, once
  /// The seq with which the program dies: it is written, and nobody lives to hear of it.
  std::size_t dies_at = SIZE_MAX;
  bool is_dead = false;
  std::function<void(const trace::Event&)> on_event;
};

inline ToolCall call(std::string name, std::string text, std::string id = "") {
  return {std::move(id), std::move(name), R"({"text":")" + std::move(text) + "\"}", ""};
}

}  // namespace fathom::test
