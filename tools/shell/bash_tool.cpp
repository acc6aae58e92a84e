#include "tools/shell/bash_tool.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace fathom::tools {
namespace {

Duration wait_of(const Arguments& arguments, Duration otherwise) {
  const auto seconds = arguments.number("timeout_s");
  if (!seconds) return otherwise;
  const double most = std::chrono::duration<double>(kYieldTimeMax).count();
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::clamp(*seconds, 0.0, most)));
}

std::unexpected<Error> too_many_jobs(std::size_t running) {
  return fail(ErrorCode::in_use, "bash: " + std::to_string(running) +
                                     " jobs are running: end one with action kill before starting "
                                     "another");
}

}  // namespace

const ToolSpec& BashTool::description() {
  static const ToolSpec spec{
      "bash",
      "Run a command in a persistent bash shell: cwd, variables and functions survive. stdin is "
      "empty. A command that takes longer than timeout_s goes on as a job.",
      R"({"type":"object","properties":{)"
      R"("command":{"type":"string"},)"
      R"("timeout_s":{"type":"number","exclusiveMinimum":0,)"
      R"("description":"how long to wait, default 120"},)"
      R"("background":{"type":"boolean","description":"start as a job, for servers"},)"
      R"("action":{"type":"string","enum":["list","poll","kill"],)"
      R"("description":"of jobs, instead of a command"},)"
      R"("job":{"type":"integer","description":"for poll and kill"}},)"
      R"("additionalProperties":false})"};
  return spec;
}

Result<Intent> BashTool::intent(const Arguments& arguments) const {
  const auto command = arguments.text("command");
  const auto action = arguments.text("action");
  if (command && action)
    return fail(ErrorCode::usage, "bash: send either command or action, not both");
  if (command) {
    TRY(check_command(*command));
    if (calls_ == Calls::one && arguments.boolean("background").value_or(false))
      return fail(ErrorCode::usage, "bash: no call follows this one: send it without background");
    return Intent{Effect::write, {policies::request::Exec{{"bash", "-c", *command}, workspace_}}};
  }
  if (!action) return fail(ErrorCode::usage, "bash: send a command, or an action on jobs");
  if (*action != "list" && !arguments.integer("job"))
    return fail(ErrorCode::usage,
                "bash: action " + *action + " needs job, a number that action list shows");
  return Intent{*action == "kill" ? Effect::write : Effect::read, {}};
}

asio::awaitable<Result<ToolOutput>> BashTool::run(const Call& call) {
  settle();
  const auto command = call.arguments.text("command");
  const std::string action = call.arguments.text("action").value_or("");
  if (!command && action == "list") {
    ToolOutput list = list_output(jobs_.all(), clock_.now());
    for (ShellJob* job : jobs_.all()) job->announced = job->end.has_value();
    co_return list;
  }
  auto running = !command ? (action == "kill" ? kill(call) : poll(call))
                 : call.arguments.boolean("background").value_or(false)
                     ? run_background(*command)
                     : run_command(call, *command);
  Result<ToolOutput> output = co_await std::move(running);
  settle();
  if (output) output->notes += take_notices();
  co_return output;
}

asio::awaitable<Result<ToolOutput>> BashTool::run_command(const Call& call, std::string command) {
  // One more than kJobsMax may come to run, when this one goes on.
  if (jobs_.running() > kJobsMax) co_return too_many_jobs(jobs_.running());
  const ShellTicket ticket = states_.take();
  auto argv = shell_argv(states_.kept(), ticket, command);
  auto executor = co_await asio::this_coro::executor;
  ShellJob& job = jobs_.start(executor, std::move(command), std::move(argv));
  job.ticket = ticket;
  job.on_output = call.on_output;
  job.announced = true;
  const Duration yield = calls_ == Calls::one ? kYieldTimeMax : kYieldTime;
  bool ended = false;
  std::exception_ptr unwinding;
  try {
    auto waiting = jobs_.wait_for_end(job, clock_.now() + wait_of(call.arguments, yield));
    ended = co_await std::move(waiting);
  } catch (const boost::system::system_error&) {
    unwinding = std::current_exception();
  }
  job.on_output = nullptr;
  if (unwinding) {  // cancelled: a call that is waited for takes its command along
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await jobs_.kill(job);
    co_await asio::this_coro::throw_if_cancelled(true);
    settle();
    ShellJobs::forget(job);
    std::rethrow_exception(unwinding);
  }
  if (ended) {
    const bool kept = *job.end && (*job.end)->ending == sandbox::Ending::exited;
    if (kept) states_.keep(*std::exchange(job.ticket, std::nullopt));
    settle();
    ShellJobs::forget(job);
    if (!*job.end) co_return fail(std::move(job.end)->error());
    auto& outcome = **job.end;
    if (outcome.ending == sandbox::Ending::not_started)
      co_return fail(ErrorCode::unsupported,
                     "bash: " + outcome.evidence +
                         (outcome.stage == sandbox::wire::Stage::exec ? " (bash)" : ""));
    co_return ended_output(outcome, ShellJobs::take_output(job),
                           kept ? StateKept::yes : StateKept::no);
  }
  if (calls_ == Calls::one) {
    auto ending = end_late(job);
    co_return co_await std::move(ending);
  }
  job.announced = false;
  ToolOutput output = running_output(job, ShellJobs::take_output(job), clock_.now() - job.started);
  output.notes += "[shell] until then cwd, variables and functions are those before this call\n";
  co_return output;
}

// A command that took longer than it was waited for, and that no later call can ask about.
asio::awaitable<Result<ToolOutput>> BashTool::end_late(ShellJob& job) {
  co_await jobs_.kill(job);
  Result<ToolOutput> output = finished(job);
  if (!output) co_return output;
  output->status = ToolStatus::failed;
  output->notes += "[shell] it was ended after timeout_s, because no call follows this one\n";
  co_return output;
}

asio::awaitable<Result<ToolOutput>> BashTool::run_background(std::string command) {
  if (jobs_.is_full()) co_return too_many_jobs(jobs_.running());
  auto argv = shell_argv(states_.kept(), std::nullopt, command);
  auto executor = co_await asio::this_coro::executor;
  ShellJob& job = jobs_.start(executor, std::move(command), std::move(argv));
  auto waiting = jobs_.wait_for_end(job, clock_.now() + kFirstLook);
  if (co_await std::move(waiting)) co_return finished(job);
  co_return running_output(job, ShellJobs::take_output(job), clock_.now() - job.started);
}

Result<ShellJob*> BashTool::job_of(const Call& call) const {
  const auto id = call.arguments.integer("job").value_or(0);
  ShellJob* job = id > 0 ? jobs_.find(static_cast<std::uint64_t>(id)) : nullptr;
  if (job != nullptr) return job;
  return fail(ErrorCode::not_found,
              "bash: there is no job " + std::to_string(id) + ": action list shows them");
}

asio::awaitable<Result<ToolOutput>> BashTool::poll(const Call& call) {
  CO_TRY(ShellJob * job, job_of(call));
  auto waiting = jobs_.wait_for_news(*job, clock_.now() + wait_of(call.arguments, kPollTime));
  co_await std::move(waiting);
  if (job->end) co_return finished(*job);
  co_return running_output(*job, ShellJobs::take_output(*job), clock_.now() - job->started);
}

asio::awaitable<Result<ToolOutput>> BashTool::kill(const Call& call) {
  CO_TRY(ShellJob * job, job_of(call));
  if (!job->end) co_await jobs_.kill(*job);
  Result<ToolOutput> output = finished(*job);
  if (output) output->status = ToolStatus::ok;  // what was asked for
  co_return output;
}

// The last report of a job.
Result<ToolOutput> BashTool::finished(ShellJob& job) {
  ShellJobs::forget(job);
  if (!*job.end) return fail(job.end->error());
  sandbox::CapturedOutput text = ShellJobs::take_output(job);
  ToolOutput output = ended_output(**job.end, std::move(text), StateKept::not_meant);
  name_job(output, job);
  return output;
}

// Ended jobs give back their slots: what they saved came too late to count.
void BashTool::settle() {
  for (ShellJob* job : jobs_.all())
    if (job->end && job->ticket) states_.drop(*std::exchange(job->ticket, std::nullopt));
}

std::string BashTool::take_notices() {
  std::string text;
  for (ShellJob* job : jobs_.all()) {
    if (!job->end || job->announced) continue;
    job->announced = true;
    text += end_notice(*job) + ": action poll shows its output\n";
  }
  return text;
}

std::string BashTool::jobs_text() const {
  const auto jobs = jobs_.all();
  return jobs.empty() ? "" : list_output(jobs, clock_.now()).text.text();
}

}  // namespace fathom::tools
