// Session: one transcript with its tools, its engine and its journal, for as many turns as somebody
// has messages for. It can be left at any moment and resumed from the journal alone.
//
//   start ─► run_turn … ─► close          a new journal
//   resume ─► go_on / run_turn … ─► close the same journal goes on
//   fork (session_store.hpp)              a copy of a journal up to a boundary
#pragma once

#include "agents/compactor.hpp"
#include "agents/control.hpp"
#include "agents/document/agent_document.hpp"
#include "agents/ledger.hpp"
#include "agents/live_output.hpp"
#include "agents/model_caller.hpp"
#include "agents/session_log.hpp"
#include "agents/toolbox.hpp"
#include "agents/turn_driver.hpp"
#include "engine/session/engine.hpp"
#include "tools/json_schema.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

class SubAgents;

/// Opens engines by SPEC, or by the name of one in the user's config; they outlive the sessions.
using EngineOpener = std::function<asio::awaitable<Result<engine::Engine*>>(std::string_view spec)>;

/// What a fork has of the session that it comes from. The engine session has that transcript
/// resident, or a part of it.
struct SessionFork {
  engine::SessionSetup setup;
  engine::Transcript transcript;
  const engine::Engine* engine = nullptr;
  std::unique_ptr<engine::Session> session;
};

struct SessionOptions {
  AgentDocument agent;
  std::string document;  ///< its YAML, as the journal keeps it
  std::string engine;    ///< SPEC; "" is the agent's
  ToolboxOptions tools;  ///< repository, policy ("" is the agent's), mode, approvals; more servers
  Budget budget;  ///< narrows the agent's; of a run that goes on, takes the place of what it was
  std::optional<RunId> parent;  ///< the run whose sub-agent this is
  std::size_t depth = 0;        ///< sub-agents above this one, itself included
  std::optional<SessionFork> fork;
  bool keeps_bodies = false;  ///< requests and answers in the bytes of the wire, beside the journal
  /// Hears every event right after it was written, ephemeral ones too.
  std::function<void(const trace::EventDraft&)> on_event;
};

/// What the document states, as a ledger counts it.
[[nodiscard]] Budget budget_of(const BudgetSettings& settings);

class Session {
 public:
  struct Surroundings {
    Toolbox::Surroundings machine;
    EngineOpener open_engine;
  };

  static asio::awaitable<Result<std::unique_ptr<Session>>> start(Surroundings around,
                                                                 SessionOptions options);
  /// Of the options only the engine ("" is the recorded one), budget, approvals and on_event count:
  /// the agent, its prompt, its workspace, policies, mode, tools and tool servers are those of the
  /// journal.
  /// Of a run in mode transaction, `tools.transaction` is the caller's to open, as for a new one.
  static asio::awaitable<Result<std::unique_ptr<Session>>> resume(Surroundings around, RunId run,
                                                                  SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// A user's message to its answer. Cancelling it leaves the turn open, to be gone on with.
  asio::awaitable<Result<TurnReport>> run_turn(std::string text, std::string key = "");
  /// The same from where the transcript is, which has the message and what was read because of it.
  asio::awaitable<Result<TurnReport>> repeat_turn(std::string text);
  /// The turn that was left open; `usage` when there is none.
  asio::awaitable<Result<TurnReport>> go_on();
  [[nodiscard]] bool is_turn_open() const { return log_->state().is_turn_open(); }

  /// Ends jobs and the sandbox, and the journal with `run.finished`.
  asio::awaitable<Result<>> close(int exit_code);

  /// For the samples of the turns to come; absent: the agent's.
  void set_draw(std::optional<std::uint64_t> seed, std::optional<double> temperature) {
    seed_ = seed;
    temperature_ = temperature;
  }
  /// The engine goes back to where it was before the first change of the attempt.
  void rewind() { model_->rewind(); }
  /// What every edit of the turns to come has to pass.
  void set_edit_check(std::function<asio::awaitable<Result<std::optional<bool>>>()> check) {
    check_edit_ = std::move(check);
  }

  [[nodiscard]] Control& control() { return control_; }
  [[nodiscard]] SessionLog& log() { return *log_; }
  /// Who says yes to what the policy asks about; may be empty.
  [[nodiscard]] const tools::Approver& approver() const { return approve_; }
  [[nodiscard]] Toolbox& toolbox() { return *toolbox_; }
  [[nodiscard]] const SessionState& state() const { return log_->state(); }
  [[nodiscard]] const Ledger& ledger() const { return *ledger_; }
  [[nodiscard]] const engine::EngineInfo& engine() const { return model_->info(); }
  [[nodiscard]] const RunId& run() const { return toolbox_->run(); }
  [[nodiscard]] const AgentDocument& agent() const { return options_.agent; }
  /// What a person should know: instructions that were left out, servers that are not there, tools
  /// that have changed since the session began. A line each.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  friend class SubAgents;
  Session(Surroundings around, SessionOptions options);
  [[nodiscard]] tools::Approver recorded_or(tools::Approver ask);
  asio::awaitable<Result<>> open_toolbox(std::optional<RunId> run);
  asio::awaitable<Result<>> open_engine(engine::SessionSetup setup);
  void make_model(const engine::Engine& engine, std::unique_ptr<engine::Session> session);
  asio::awaitable<Result<engine::SessionSetup>> make_setup();
  void make_log(SessionState state);
  Result<> check_tools(const engine::SessionSetup& setup);
  Result<> make_answer_check();
  asio::awaitable<Result<>> begin_new();
  asio::awaitable<Result<>> note_origin(std::optional<SessionFork> fork);
  asio::awaitable<Result<>> begin_again(SessionState state);
  template <class Begin>
  static asio::awaitable<Result<std::unique_ptr<Session>>> opened(std::unique_ptr<Session> session,
                                                                  Begin begin);
  [[nodiscard]] std::uint64_t steps_left() const;
  [[nodiscard]] TurnDriver make_driver();
  asio::awaitable<Result<TurnReport>> ended(Result<TurnReport> report);
  asio::awaitable<Result<bool>> escalate(std::string_view why);
  Result<> charge_tools();
  asio::awaitable<Result<>> guide(engine::RequestLimits& limits);
  asio::awaitable<Result<TurnReport>> run_turn(engine::UserSaid said);

  Surroundings around_;
  SessionOptions options_;
  tools::Approver approve_;
  std::unique_ptr<SubAgents> sub_agents_;  ///< the toolbox has a tool that uses it
  std::unique_ptr<Toolbox> toolbox_;
  std::optional<SessionLog> log_;
  std::optional<ModelCaller> model_;
  std::optional<Ledger> ledger_;
  std::optional<tools::JsonSchema> answer_schema_;
  Guard guard_;
  Control control_;
  LiveOutput live_output_;
  std::vector<std::string> notes_;
  bool escalated_ = false;
  bool keeps_engine_ = false;  ///< resumed with the engine that it was recorded with
  std::optional<std::uint64_t> seed_;
  std::optional<double> temperature_;
  std::function<asio::awaitable<Result<std::optional<bool>>>()> check_edit_;
  std::chrono::milliseconds tool_cpu_{0};  ///< that the ledger has
};

}  // namespace fathom::agents
