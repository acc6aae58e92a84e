#include "tools/shell/shell_jobs.hpp"

#include "runtime/async/timeout.hpp"
#include "runtime/base/ensure.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace fathom::tools {
namespace {

// Output that is read comes in pieces: a look waits until there was none for this long.
constexpr Duration kQuiet = std::chrono::milliseconds(500);

sandbox::Outcome cancelled_outcome() {
  sandbox::Outcome outcome;
  outcome.end(sandbox::Ending::cancelled, "the caller cancelled it");
  return outcome;
}

asio::awaitable<Result<>> until_end(ShellJob& job) {
  while (!job.end) co_await job.changed.wait();
  co_return Result<>{};
}

asio::awaitable<Result<>> until_change(ShellJob& job) {
  co_await job.changed.wait();
  co_return Result<>{};
}

}  // namespace

std::size_t ShellJobs::running() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(jobs_, [](const auto& job) { return !job->end; }));
}

std::vector<ShellJob*> ShellJobs::all() const {
  std::vector<ShellJob*> jobs;
  for (const auto& job : jobs_)
    if (!job->forgotten) jobs.push_back(job.get());
  return jobs;
}

ShellJob* ShellJobs::find(std::uint64_t id) const {
  for (ShellJob* job : all())
    if (job->id == id) return job;
  return nullptr;
}

// A job that has ended may still have the last step of its task before it.
void ShellJobs::reap() {
  const auto is_over = [](const auto& job) { return job->end && job->task.size() == 0; };
  std::erase_if(jobs_, [&](const auto& job) { return job->forgotten && is_over(job); });
  if (std::ranges::count_if(jobs_, is_over) >= static_cast<std::ptrdiff_t>(kEndedJobsMax))
    jobs_.erase(std::ranges::find_if(jobs_, is_over));
}

ShellJob& ShellJobs::start(const asio::any_io_executor& executor, std::string command,
                           std::vector<std::string> argv) {
  reap();
  jobs_.push_back(std::make_unique<ShellJob>(executor, ++last_id_, std::move(command)));
  ShellJob& job = *jobs_.back();
  job.started = clock_.now();
  sandbox::Command what;
  what.argv = std::move(argv);
  what.environment = shell_environment();
  what.on_output = [this, &job](sandbox::OutputStream, std::string_view bytes) {
    job.unread.append(bytes);
    job.last_output = clock_.now();
    if (job.on_output) job.on_output(bytes);
    job.changed.notify_all();
  };
  job.task.spawn(drive(job, std::move(what)));
  return job;
}

asio::awaitable<void> ShellJobs::drive(ShellJob& job, sandbox::Command command) {
  // However it ends: nobody waits for a job that is gone.
  struct Ending {
    ShellJob& job;
    explicit Ending(ShellJob& ended) : job(ended) {}
    ~Ending() {
      if (!job.end) job.end.emplace(cancelled_outcome());
      job.changed.notify_all();
    }
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;
  } const ending(job);
  auto running = commands_.run(std::move(command));
  job.end.emplace(co_await std::move(running));
}

asio::awaitable<bool> ShellJobs::wait_for_end(ShellJob& job, Instant deadline) {
  if (!job.end) (void)co_await with_deadline(clock_, deadline, "job", until_end(job));
  co_return job.end.has_value();
}

asio::awaitable<void> ShellJobs::wait_for_news(ShellJob& job, Instant deadline) {
  while (!job.end && clock_.now() < deadline) {
    Instant until = deadline;
    if (job.unread.bytes() > 0) until = std::min(until, job.last_output + kQuiet);
    if (until <= clock_.now()) co_return;
    (void)co_await with_deadline(clock_, until, "job", until_change(job));
  }
}

asio::awaitable<void> ShellJobs::kill(ShellJob& job) {
  auto to_the_end = [](ShellJob& killed) -> asio::awaitable<void> {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    killed.task.cancel();
    co_await killed.task.join();
    if (!killed.end) killed.end.emplace(cancelled_outcome());  // before its first step
  };
  // In a coroutine of its own, because a cancelled one cannot wait for anything.
  auto executor = co_await asio::this_coro::executor;
  co_await asio::co_spawn(executor, to_the_end(job), asio::use_awaitable);
}

asio::awaitable<void> ShellJobs::close() {
  for (const auto& job : jobs_) job->task.cancel();
  while (!jobs_.empty()) {
    co_await kill(*jobs_.back());
    jobs_.pop_back();
  }
}

sandbox::CapturedOutput ShellJobs::take_output(ShellJob& job) {
  sandbox::CapturedOutput output = std::exchange(job.unread, sandbox::OutputCapture()).finish();
  const bool all = !job.was_read && output.bytes_cut > 0;
  job.was_read = job.was_read || output.bytes > 0;
  if (job.end && *job.end) {
    sandbox::CapturedOutput& whole = (*job.end)->out;
    if (all) return std::move(whole);
    output.blob = whole.blob;
  }
  return output;
}

void ShellJobs::forget(ShellJob& job) {
  ENSURE(job.end.has_value(), "a job that runs has an owner");
  job.forgotten = true;
}

}  // namespace fathom::tools
