#include "agents/sub_agents.hpp"

#include "agents/session_attempts.hpp"
#include "policies/path_rules.hpp"
#include "policies/shipped.hpp"
#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace fathom::agents {
namespace {

// Tools that only look, whatever the policy.
bool only_looks(const AgentDocument& agent) {
  return agent.mcp.empty() && agent.agents.empty() &&
         std::ranges::all_of(agent.tools, [](const std::string& tool) {
           return tool == "search" || tool == "list";
         });
}

bool lets_write(const policies::Filesystem& filesystem) {
  if (filesystem.workspace == policies::Access::write) return true;
  return std::ranges::any_of(filesystem.grants, [&](const policies::PathGrant& grant) {
    return grant.access == policies::Access::write &&
           policies::is_at_or_below(grant.path, filesystem.workspace_root);
  });
}

// Nobody waits at a sub-agent's call: what a person could only say later is a no.
tools::Approver now_or_never(tools::Approver approve) {
  if (!approve) return {};
  return
      [approve = std::move(approve)](
          const ToolCall& call, const policies::Decision& why) -> asio::awaitable<tools::Approval> {
        auto asking = approve(call, why);
        const tools::Approval approval = co_await std::move(asking);
        co_return approval == tools::Approval::later ? tools::Approval::refused : approval;
      };
}

class SessionSubAgent final : public SubAgent {
 public:
  SessionSubAgent(std::unique_ptr<Session> session, bool is_verified)
      : session_(std::move(session)), is_verified_(is_verified) {}

  [[nodiscard]] const RunId& run() const override { return session_->run(); }
  [[nodiscard]] Spent spent() const override { return session_->ledger().spent(); }

  asio::awaitable<Result<TaskAnswer>> answer(std::string prompt) override {
    AttemptsReport report;
    if (is_verified_) {
      auto trying = run_attempts(*session_, std::move(prompt));
      CO_TRY(report, co_await std::move(trying));
    } else {
      auto turning = session_->run_turn(std::move(prompt));
      CO_TRY(report.turn, co_await std::move(turning));
      report.why = report.turn.why;
    }
    co_return TaskAnswer{report.turn.end, std::move(report.turn.answer), std::move(report.why),
                         report.turn.steps};
  }
  asio::awaitable<Result<>> close(int exit_code) override { return session_->close(exit_code); }

 private:
  std::unique_ptr<Session> session_;
  bool is_verified_;
};

}  // namespace

SubAgents::SubAgents(Session& parent) : parent_(parent) {
  const ToolboxOptions& options = parent.options_.tools;
  policy_ = options.policy;
  narrowed_by_ = options.narrowed_by;
  tools_ = options.tools;
  mcp_ = options.mcp;
  start_mcp_if_ = options.start_mcp_if;
  mode_ = options.mode;
  clip_ = options.clip;
}

Result<std::unique_ptr<SubAgents>> SubAgents::create(Session& parent) {
  std::unique_ptr<SubAgents> made(new SubAgents(parent));
  std::error_code error;
  const std::filesystem::path& repository = parent.options_.tools.repository;
  made->workspace_ = std::filesystem::canonical(repository, error).string();
  if (error) return fail(system_error("workspace " + repository.string(), error.value()));
  const AgentDocument& agent = parent.options_.agent;
  made->fork_ = TRY(made->describe(agent, made->narrowed_by_));
  made->fork_.name.clear();
  for (const std::string& name : agent.agents) {
    auto found = find_agent(name, made->workspace_, parent.around_.machine.env);
    if (!found) return fail(context("agents of " + agent.name, std::move(found).error()));
    made->agents_.push_back(TRY(made->describe(found->agent, made->narrowed_for(found->agent))));
    made->found_.push_back(*std::move(found));
  }
  return made;
}

Result<TaskAgent> SubAgents::describe(const AgentDocument& agent,
                                      const std::vector<std::string>& narrowed_by) const {
  const policies::EffectivePolicy policy = TRY(policies::load_effective_policy(
      {workspace_, policy_, narrowed_by}, parent_.around_.machine.env));
  return TaskAgent{agent.name, agent.description,
                   only_looks(agent) || !lets_write(policy.policy.filesystem),
                   budget_of(agent.budget)};
}

std::vector<std::string> SubAgents::narrowed_for(const AgentDocument& agent) const {
  std::vector<std::string> names = narrowed_by_;
  if (agent.policy.empty()) return names;
  // A child that goes on later may do so from another folder.
  const bool is_file = policies::shipped_policy(agent.policy).empty();
  names.push_back(is_file ? std::filesystem::absolute(agent.policy).string() : agent.policy);
  return names;
}

std::unique_ptr<tools::Tool> SubAgents::make_tool() {
  TaskTool::Options options;
  options.fork = fork_;
  options.agents = agents_;
  options.depth = parent_.options_.depth;
  if (mode_ != sandbox::Mode::direct)
    options.refusal =
        "edits of this run are kept beside the workspace, where a sub-agent does not see them: do "
        "it yourself";
  return std::make_unique<TaskTool>(*this, std::move(options));
}

Result<> SubAgents::write(std::string_view type, std::string data) {
  trace::EventDraft draft;
  draft.type = type;
  draft.data = std::move(data);
  TRY(parent_.log_->write(std::move(draft)));
  return {};
}

ToolboxOptions SubAgents::tools_for(std::vector<std::string> narrowed_by) const {
  ToolboxOptions options;
  options.repository = workspace_;
  options.policy = policy_;
  options.narrowed_by = std::move(narrowed_by);
  options.start_mcp_if = start_mcp_if_;
  options.approve = now_or_never(parent_.approve_);
  options.clip = clip_;
  return options;
}

// Up to the answer that the call is in: a transcript whose calls have no results is none.
Result<SessionFork> SubAgents::branch() const {
  const SessionState& state = parent_.state();
  SessionFork fork;
  fork.setup = state.started()->setup;
  fork.transcript = state.transcript();
  std::vector<Message>& messages = fork.transcript.messages;
  if (!messages.empty() && !messages.back().calls.empty()) messages.pop_back();
  fork.engine = &parent_.model_->engine();
  fork.session = TRY(parent_.model_->session().fork());
  return fork;
}

asio::awaitable<Result<std::unique_ptr<SubAgent>>> SubAgents::open(std::string agent,
                                                                   Budget budget) {
  SessionOptions options;
  options.keeps_bodies = parent_.options_.keeps_bodies;
  options.parent = parent_.run();
  options.depth = parent_.options_.depth + 1;
  options.budget = budget;
  options.engine = parent_.options_.engine;
  if (agent.empty()) {
    options.agent = parent_.options_.agent;
    options.document = parent_.options_.document;
    options.tools = tools_for(narrowed_by_);
    options.tools.tools = tools_;
    options.tools.mcp = mcp_;
    CO_TRY(options.fork, branch());
  } else {
    const auto found = std::ranges::find_if(
        found_, [&](const FoundAgent& one) { return one.agent.name == agent; });
    ENSURE(found != found_.end(), "the tool knows the same agents");
    options.agent = found->agent;
    options.document = found->text;
    options.tools = tools_for(narrowed_for(found->agent));
    if (!found->agent.engine.empty()) options.engine = found->agent.engine;
  }
  if (options.engine.empty()) options.engine = parent_.options_.agent.engine;
  const bool is_verified = !agent.empty() && options.agent.accept.has_value();
  auto starting = Session::start(parent_.around_, std::move(options));
  CO_TRY(std::unique_ptr<Session> session, co_await std::move(starting));
  co_return std::make_unique<SessionSubAgent>(std::move(session), is_verified);
}

}  // namespace fathom::agents
