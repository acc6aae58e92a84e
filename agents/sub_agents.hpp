// SubAgents: opens the sub-agents of a session for its `task` tool.
#pragma once

#include "agents/document/agent_files.hpp"
#include "agents/session.hpp"
#include "agents/task_tool.hpp"
#include "policies/policy_files.hpp"
#include "runtime/base/result.hpp"
#include "tools/tool.hpp"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

class SubAgents final : public TaskHost {
 public:
  /// Before the session's toolbox is opened, and once its options are settled: reads the documents
  /// that its agent names, and what their policies leave of the session's. Errors: those of
  /// find_agent() and of policies. The session outlives it.
  static Result<std::unique_ptr<SubAgents>> create(Session& parent);

  /// Which this outlives.
  [[nodiscard]] std::unique_ptr<tools::Tool> make_tool();

  [[nodiscard]] Instant now() const override { return parent_.around_.machine.clock.now(); }
  [[nodiscard]] Ledger& ledger() override { return *parent_.ledger_; }
  [[nodiscard]] std::uint64_t tasks() const override { return parent_.state().tasks(); }
  Result<> write(std::string_view type, std::string data) override;
  asio::awaitable<Result<std::unique_ptr<SubAgent>>> open(std::string agent,
                                                          Budget budget) override;

 private:
  explicit SubAgents(Session& parent);
  [[nodiscard]] Result<TaskAgent> describe(const AgentDocument& agent,
                                           const std::vector<std::string>& narrowed_by) const;
  [[nodiscard]] std::vector<std::string> narrowed_for(const AgentDocument& agent) const;
  [[nodiscard]] ToolboxOptions tools_for(std::vector<std::string> narrowed_by) const;
  Result<SessionFork> branch() const;

  Session& parent_;
  std::vector<FoundAgent> found_;
  std::vector<TaskAgent> agents_;
  TaskAgent fork_;
  // Of the session's options, which its toolbox takes.
  std::string workspace_;
  std::string policy_;
  std::vector<std::string> narrowed_by_;
  std::vector<std::string> tools_;
  std::vector<std::string> mcp_;  ///< beside the agent's own
  policies::Verdict start_mcp_if_ = policies::Verdict::allow;
  sandbox::Mode mode_ = sandbox::Mode::direct;
  tools::ClipOptions clip_;
};

}  // namespace fathom::agents
