#include "agents/task_tool.hpp"

#include "agents/cli/exit_code.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <nlohmann/json.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace fathom::agents {

using nlohmann::ordered_json;

namespace {

constexpr std::string_view kAbout =
    "Give a task to a sub-agent and get its last message as the result. Without `agent` it is a "
    "fork of you: it knows what you know so far. A named one knows only the prompt. It works in "
    "the same workspace; what it read stays out of your context.";

constexpr std::string_view kForked =
    "[You are a fork of this session, made for the one task below. Do only this task. Your last "
    "message is its result: whoever reads it sees nothing else of what you do.]\n\n";

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

tools::ToolSpec spec_of(const std::vector<TaskAgent>& agents) {
  tools::ToolSpec spec;
  spec.name = "task";
  spec.description = kAbout;
  ordered_json names = ordered_json::array();
  for (const TaskAgent& agent : agents) {
    spec.description += "\n" + agent.name + ": " + agent.description;
    names.push_back(agent.name);
  }
  ordered_json properties{
      {"prompt", {{"type", "string"}, {"description", "all that matters for the task"}}}};
  if (!agents.empty()) properties["agent"] = {{"type", "string"}, {"enum", names}};
  spec.parameters = dump({{"type", "object"},
                          {"properties", properties},
                          {"required", {"prompt"}},
                          {"additionalProperties", false}});
  return spec;
}

ExitCode exit_code_of(const TaskAnswer& answer) {
  switch (answer.end) {
    case TurnEnd::answered:
      return answer.why.empty() ? ExitCode::ok : ExitCode::no_fix;
    case TurnEnd::budget:
      return ExitCode::budget;
    case TurnEnd::engine_error:
    case TurnEnd::sandbox_missing:
      return ExitCode::infrastructure;
    case TurnEnd::cancelled:
      return ExitCode::interrupted;
    case TurnEnd::suspended:
      return ExitCode::denied;
    case TurnEnd::step_limit:
    case TurnEnd::loop:
    case TurnEnd::rejected:
      break;
  }
  return ExitCode::no_fix;
}

}  // namespace

// What is set aside for one sub-agent, until it is gone, however that comes.
class TaskTool::Share {
 public:
  Share(TaskHost& host, const Ledger& given)
      : host_(host), budget_(given.budget()), began_(host.now()) {}
  ~Share() { host_.ledger().settle(Ledger(budget_, began_, child ? child->spent() : Spent{})); }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;
  [[nodiscard]] const Budget& budget() const { return budget_; }

  std::unique_ptr<SubAgent> child;

 private:
  TaskHost& host_;
  Budget budget_;
  Instant began_;
};

TaskTool::TaskTool(TaskHost& host, Options options)
    : host_(host), options_(std::move(options)), spec_(spec_of(options_.agents)) {}

const TaskAgent* TaskTool::find(std::string_view name) const {
  if (name.empty()) return &options_.fork;
  for (const TaskAgent& agent : options_.agents)
    if (agent.name == name) return &agent;
  return nullptr;
}

Result<tools::Intent> TaskTool::intent(const tools::Arguments& arguments) const {
  if (!options_.refusal.empty()) return fail(ErrorCode::permission, "task: " + options_.refusal);
  if (options_.depth >= kTaskDepthMax)
    return fail(ErrorCode::permission, "task: you are a sub-agent at depth " +
                                           std::to_string(options_.depth) +
                                           ", which starts no further ones: do it yourself");
  const std::string prompt = arguments.text("prompt").value_or("");
  if (prompt.find_first_not_of(" \t\r\n") == std::string::npos)
    return fail(ErrorCode::usage, "task: 'prompt' is empty: say what is to be done");
  if (prompt.size() > kTaskPromptBytesMax)
    return fail(ErrorCode::usage, "task: 'prompt' has " + format_bytes(prompt.size()) + " of " +
                                      format_bytes(kTaskPromptBytesMax) +
                                      " at most: name files instead of repeating them");
  const TaskAgent* agent = find(arguments.text("agent").value_or(""));
  if (agent == nullptr) return fail(ErrorCode::usage, "task: no such agent");
  return tools::Intent{agent->reads_only ? tools::Effect::read : tools::Effect::write, {}};
}

asio::awaitable<Result<tools::ToolOutput>> TaskTool::run(const tools::Call& call) {
  const TaskAgent* agent = find(call.arguments.text("agent").value_or(""));
  ENSURE(agent != nullptr, "intent() has refused other names");
  if (host_.tasks() + opening_ >= kTasksPerRunMax)
    co_return fail(ErrorCode::too_large, "task: " + std::to_string(kTasksPerRunMax) +
                                             " sub-agents were started in this run, which is all "
                                             "there may be: do the rest yourself");
  const Result<Ledger> given = host_.ledger().reserve(agent->budget, host_.now());
  if (!given) co_return fail(context("task", given.error()));
  Share share(host_, *given);
  auto working = work(call, *agent, share);
  CO_TRY(const TaskAnswer answer, co_await std::move(working));
  tools::ToolOutput output = tools::ToolOutput::of(answer.text);
  const bool is_done = answer.end == TurnEnd::answered && answer.why.empty();
  if (!is_done) {
    output.status = ToolStatus::failed;
    output.digest = "the sub-agent did not do it (" + std::string(name_of(answer.end)) + ")" +
                    (answer.why.empty() ? "" : ": " + to_printable(answer.why)) +
                    (answer.text.empty() ? "" : "; its last words:");
  }
  output.data = dump({{"run", share.child->run().to_string()},
                      {"agent", agent->name},
                      {"end", name_of(answer.end)},
                      {"steps", answer.steps}});
  co_return output;
}

asio::awaitable<Result<TaskAnswer>> TaskTool::work(const tools::Call& call, const TaskAgent& agent,
                                                   Share& share) {
  {
    struct Opening {
      std::size_t& count;
      explicit Opening(std::size_t& counter) : count(counter) { ++count; }
      ~Opening() { --count; }
    } const opening(opening_);
    auto starting = host_.open(agent.name, share.budget());
    auto child = co_await std::move(starting);
    if (!child)
      co_return fail(context("task" + (agent.name.empty() ? "" : " of " + agent.name),
                             std::move(child).error()));
    share.child = *std::move(child);
  }
  Result<TaskAnswer> answer = TaskAnswer{TurnEnd::cancelled, "", "", 0};
  std::exception_ptr unwinding;
  const Result<> begun = host_.write("agent.task", dump({{"call", call.id},
                                                         {"run", share.child->run().to_string()},
                                                         {"agent", agent.name},
                                                         {"depth", options_.depth + 1}}));
  if (!begun) {
    answer = fail(begun.error());
  } else {
    try {
      std::string prompt = call.arguments.text("prompt").value_or("");
      auto answering =
          share.child->answer(agent.name.empty() ? std::string(kForked) + prompt : prompt);
      answer = co_await std::move(answering);
    } catch (const boost::system::system_error&) {
      unwinding = std::current_exception();
    }
  }
  // A sub-agent leaves nothing behind, also when nobody waits for it any more.
  if (unwinding) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  }
  const ExitCode code = answer ? exit_code_of(*answer) : ExitCode::infrastructure;
  auto closing = share.child->close(static_cast<int>(code));
  const Result<> closed = co_await std::move(closing);
  if (begun) {
    const TaskAnswer said = answer ? *answer : TaskAnswer{TurnEnd::engine_error, "", "", 0};
    const Result<> ended = write_end(call, *share.child, said);
    if (!ended && answer) answer = fail(ended.error());
  }
  if (unwinding) std::rethrow_exception(unwinding);
  if (!answer) co_return fail(context("task", std::move(answer).error()));
  if (!closed) co_return fail(context("task: end the sub-agent", closed.error()));
  co_return answer;
}

Result<> TaskTool::write_end(const tools::Call& call, const SubAgent& child,
                             const TaskAnswer& answer) {
  const Spent spent = child.spent();
  ordered_json data{{"call", call.id},
                    {"run", child.run().to_string()},
                    {"end", name_of(answer.end)},
                    {"why", to_printable(answer.why)},
                    {"steps", answer.steps},
                    {"prompt_tokens", spent.usage.prompt_tokens},
                    {"reused_tokens", spent.usage.reused_tokens},
                    {"completion_tokens", spent.usage.completion_tokens},
                    {"reasoning_tokens", spent.usage.reasoning_tokens}};
  if (spent.usd > 0) data["cost_usd"] = spent.usd;
  return host_.write("agent.task_finished", dump(data));
}

}  // namespace fathom::agents
