// task: gives a part of the work to a sub-agent, and gets back its last words as one result.
//
// Without `agent` the sub-agent is a fork of this session: it knows all that this one knew before
// the answer that the call is in, and what is resident is shared. A named one begins anew, with the
// prompt alone. Either has a run and a journal of its own, works in the same workspace under a
// policy that is at most this one's, spends from this one's budget, and ends when the call does.
//
//   agent.task {call, run, agent, depth}                       "" is the fork
//   agent.task_finished {call, run, end, steps, prompt_tokens, …, cost_usd}
//
// The tool knows sessions only as TaskHost and SubAgent: what it decides is tested without any.
#pragma once

#include "agents/ledger.hpp"
#include "agents/turn.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/result.hpp"
#include "tools/tool.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kTaskDepthMax = 2;     // sub-agents below one another
inline constexpr std::size_t kTasksPerRunMax = 16;  // since the run began
inline constexpr std::size_t kTaskPromptBytesMax = 64UL << 10;

/// One that `task` may start.
struct TaskAgent {
  std::string name;  ///< "" is the fork
  std::string description;
  bool reads_only = false;  ///< it can write nothing into the workspace
  Budget budget;            ///< its own wish
};

struct TaskAnswer {
  TurnEnd end = TurnEnd::answered;
  std::string text;  ///< its last words
  std::string why;   ///< it did not do what it was asked, or not all: one line
  std::uint64_t steps = 0;
};

/// The run of a sub-agent.
class SubAgent {
 public:
  SubAgent() = default;
  virtual ~SubAgent() = default;
  SubAgent(const SubAgent&) = delete;
  SubAgent& operator=(const SubAgent&) = delete;

  [[nodiscard]] virtual const RunId& run() const = 0;
  [[nodiscard]] virtual Spent spent() const = 0;
  virtual asio::awaitable<Result<TaskAnswer>> answer(std::string prompt) = 0;
  virtual asio::awaitable<Result<>> close(int exit_code) = 0;
};

/// The session whose model has the tool.
class TaskHost {
 public:
  TaskHost() = default;
  virtual ~TaskHost() = default;
  TaskHost(const TaskHost&) = delete;
  TaskHost& operator=(const TaskHost&) = delete;

  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual Ledger& ledger() = 0;
  [[nodiscard]] virtual std::uint64_t tasks() const = 0;  ///< started since the run began
  virtual Result<> write(std::string_view type, std::string data) = 0;
  /// `agent` "" forks. The budget is set aside already.
  virtual asio::awaitable<Result<std::unique_ptr<SubAgent>>> open(std::string agent,
                                                                  Budget budget) = 0;
};

class TaskTool final : public tools::Tool {
 public:
  struct Options {
    TaskAgent fork;
    std::vector<TaskAgent> agents;
    std::size_t depth = 0;  ///< of the session that has the tool; a person's is 0
    std::string refusal;    ///< why no call can be carried out in this run; "" when it can
  };

  /// `host` outlives it.
  TaskTool(TaskHost& host, Options options);

  [[nodiscard]] const tools::ToolSpec& spec() const override { return spec_; }
  [[nodiscard]] Result<tools::Intent> intent(const tools::Arguments& arguments) const override;
  asio::awaitable<Result<tools::ToolOutput>> run(const tools::Call& call) override;

 private:
  class Share;
  [[nodiscard]] const TaskAgent* find(std::string_view name) const;
  asio::awaitable<Result<TaskAnswer>> work(const tools::Call& call, const TaskAgent& agent,
                                           Share& share);
  Result<> write_end(const tools::Call& call, const SubAgent& child, const TaskAnswer& answer);

  TaskHost& host_;
  Options options_;
  tools::ToolSpec spec_;
  std::size_t opening_ = 0;  ///< sub-agents that are not in the journal yet
};

}  // namespace fathom::agents
