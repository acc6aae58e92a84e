#include "sandbox/run_command.hpp"

#include "runtime/async/cancellation.hpp"
#include "runtime/async/task_group.hpp"
#include "runtime/async/timeout.hpp"
#include "sandbox/command_input.hpp"
#include "sandbox/descriptors.hpp"
#include "sandbox/output_reader.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

namespace fathom::sandbox {
namespace {

// How long pipes are read after the tree is empty: something outside may hold their other end.
constexpr Duration kDrainTimeout = std::chrono::milliseconds(100);
// How long a killed tree may take before the sandbox counts as lost (a process stuck in the
// kernel).
constexpr Duration kKillTimeout = std::chrono::seconds(20);

std::chrono::microseconds micros(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration);
}

}  // namespace

asio::awaitable<void> CommandWatch::watch(int, Outcome&, std::function<void()>) { co_return; }

asio::awaitable<void> CommandWatch::serve(UniqueFd, Outcome&) { co_return; }

namespace {

class CommandRun {
 public:
  CommandRun(asio::any_io_executor executor, Clock& clock, const CommandPlace& place,
             const CommandOptions& options)
      : executor_(executor),
        clock_(clock),
        session_(place.session),
        cell_(place.cell),
        io_(options.io),
        limits_(options.limits),
        watches_(options.watches),
        watchers_(executor) {}

  asio::awaitable<Outcome> run(const LaunchPlan& plan);

 private:
  asio::awaitable<void> follow();
  asio::awaitable<void> take(CellEvent event);
  asio::awaitable<void> wait_for_empty_tree();
  asio::awaitable<bool> tree_ends_within(Duration duration);
  asio::awaitable<void> enforce_deadline();
  asio::awaitable<void> finish_reading(TaskGroup& readers);
  Result<> launch(const LaunchPlan& plan);
  bool count_output(std::size_t bytes);
  void kill();

  asio::any_io_executor executor_;
  Clock& clock_;
  Session& session_;
  Cell& cell_;
  const CommandIo& io_;
  const CommandLimits& limits_;
  const std::vector<CommandWatch*>& watches_;
  TaskGroup watchers_;
  Outcome outcome_;
  UniqueFd pidfd_;
  std::optional<OutputReader> out_;
  std::optional<OutputReader> err_;
  std::optional<InputFeeder> feeder_;
  std::uint64_t output_bytes_ = 0;
  bool kill_wanted_ = false;
  bool first_process_ended_ = false;
  bool cell_ended_ = false;
};

// The init of a process namespace takes the tree along. Where there is none, it must be asked
// first: it can sweep its descendants only while it lives.
void CommandRun::kill() {
  kill_wanted_ = true;
  cell_.ask_to_end();
  if (pidfd_ && session_.has_pid_namespaces())
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

// False when no more is wanted.
bool CommandRun::count_output(std::size_t bytes) {
  output_bytes_ += bytes;
  if (output_bytes_ <= limits_.output_bytes) return true;
  outcome_.end(Ending::output_limit,
               "more than " + std::to_string(limits_.output_bytes) + " bytes of output");
  kill();
  return false;
}

asio::awaitable<void> CommandRun::enforce_deadline() {
  co_await clock_.sleep_for(limits_.time);
  outcome_.end(
      Ending::deadline,
      "deadline of " +
          std::to_string(
              std::chrono::duration_cast<std::chrono::milliseconds>(limits_.time).count()) +
          " ms");
  kill();
}

asio::awaitable<void> CommandRun::take(CellEvent event) {
  if (auto* started = std::get_if<cell_event::Started>(&event)) {
    pidfd_ = std::move(started->pidfd);
    if (kill_wanted_) kill();
    for (CommandWatch* watch : watches_)
      watchers_.spawn(watch->watch(pidfd_.get(), outcome_, [this] { kill(); }));
  } else if (auto* listener = std::get_if<cell_event::Listener>(&event)) {
    for (CommandWatch* watch : watches_)
      watchers_.spawn(
          watch->serve(UniqueFd(::fcntl(listener->fd.get(), F_DUPFD_CLOEXEC, 0)), outcome_));
  } else if (auto* terminal = std::get_if<cell_event::Terminal>(&event)) {
    if (io_.on_terminal) io_.on_terminal(std::move(terminal->fd));
  } else if (auto* failed = std::get_if<cell_event::Failed>(&event)) {
    outcome_.stage = failed->stage;
    outcome_.end(Ending::not_started, stage_text(failed->stage, failed->error, failed->detail));
  } else if (auto* exited = std::get_if<cell_event::Exited>(&event)) {
    first_process_ended_ = true;
    outcome_.usage.user = std::chrono::microseconds(exited->user_us);
    outcome_.usage.system = std::chrono::microseconds(exited->system_us);
    outcome_.usage.memory_bytes_max = exited->memory_bytes_max;
    outcome_.left_processes = exited->left;
    if (WIFEXITED(exited->status)) {
      if (!outcome_.has_ended()) outcome_.exit_code = WEXITSTATUS(exited->status);
      outcome_.end(Ending::exited, "");
    } else {
      if (!outcome_.has_ended()) outcome_.signal = WTERMSIG(exited->status);
      outcome_.end(Ending::signalled, "");
    }
  } else {
    cell_ended_ = true;
    if (outcome_.has_ended() || first_process_ended_) co_return;
    const Result<> session = co_await session_.ready();
    outcome_.stage = session_.failed_stage();
    if (session)
      outcome_.end(Ending::lost, "the sandbox ended before it reported");
    else
      outcome_.end(Ending::not_started, session.error().message);
  }
}

// Until the first process has ended and we hold what tells us of the tree's end.
asio::awaitable<void> CommandRun::follow() {
  while (!cell_ended_ && !(first_process_ended_ && pidfd_)) {
    auto event = co_await cell_.next();
    if (!event) {
      outcome_.end(Ending::lost, event.error().message);
      break;
    }
    co_await take(*std::move(event));
  }
}

asio::awaitable<bool> CommandRun::tree_ends_within(Duration duration) {
  auto wait = [](asio::any_io_executor on, int fd) -> asio::awaitable<Result<>> {
    co_await wait_readable(on, fd);
    co_return Result<>{};
  };
  const Result<> ended =
      co_await with_timeout(clock_, duration, "tree", wait(executor_, pidfd_.get()));
  co_return ended.has_value();
}

asio::awaitable<void> CommandRun::wait_for_empty_tree() {
  if (!pidfd_) co_return;
  if (first_process_ended_ && !outcome_.left_processes) co_return;  // the init has seen it empty
  if (!kill_wanted_ && outcome_.left_processes && co_await tree_ends_within(limits_.leftover_grace))
    co_return;
  kill();
  if (!co_await tree_ends_within(kKillTimeout)) {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    outcome_.end(Ending::lost, "processes survived SIGKILL for 20 s");
  }
}

asio::awaitable<void> CommandRun::finish_reading(TaskGroup& readers) {
  if (!out_->at_end() || !err_->at_end()) {
    auto join = [](TaskGroup& group) -> asio::awaitable<Result<>> {
      co_await group.join();
      co_return Result<>{};
    };
    const Result<> read = co_await with_timeout(clock_, kDrainTimeout, "output", join(readers));
    if (!read) outcome_.left_processes = true;
  } else {
    co_await readers.join();
  }
  outcome_.out = co_await out_->finish();
  outcome_.err = co_await err_->finish();
}

// Starts the command, its standard streams connected to us.
Result<> CommandRun::launch(const LaunchPlan& plan) {
  auto [out_read, out_write] = TRY(output_pipe());
  auto [err_read, err_write] = TRY(output_pipe());
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  int input = nothing.get();
  switch (TRY(input_kind(io_.input))) {
    case InputKind::empty:
      break;
    case InputKind::pass:
      input = io_.input;
      break;
    case InputKind::feed:
      feeder_.emplace(TRY(InputFeeder::create(executor_, io_.input)));
      input = feeder_->read_end().get();
      break;
  }
  TRY(cell_.launch(plan, {input, out_write.get(), err_write.get()}));
  if (feeder_) feeder_->read_end().reset();
  out_.emplace(executor_, std::move(out_read), OutputStream::out, io_);
  err_.emplace(executor_, std::move(err_read), OutputStream::err, io_);
  return {};
}

asio::awaitable<Outcome> CommandRun::run(const LaunchPlan& plan) {
  const Instant start = clock_.now();
  if (const Result<> launched = launch(plan); !launched) {
    outcome_.end(Ending::not_started, launched.error().message);
    co_return std::move(outcome_);
  }
  TaskGroup readers(executor_);
  for (OutputReader* reader : {&*out_, &*err_})
    readers.spawn(reader->run([this](std::size_t bytes) { return count_output(bytes); }));
  if (limits_.time != kNoDeadline) watchers_.spawn(enforce_deadline());
  if (feeder_) watchers_.spawn(feeder_->run());

  // Cancelled from above: the tree must still die before we unwind, so the rest cannot be
  // cancelled.
  std::exception_ptr unwinding;
  try {
    co_await follow();
  } catch (const boost::system::system_error&) {
    unwinding = std::current_exception();
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (unwinding) {
    outcome_.end(Ending::cancelled, "the caller cancelled it");
    kill();
    if (!pidfd_) co_await follow();
  }
  co_await wait_for_empty_tree();
  watchers_.cancel();
  co_await watchers_.join();
  co_await finish_reading(readers);
  if (unwinding) std::rethrow_exception(unwinding);
  outcome_.usage.wall = micros(clock_.now() - start);
  co_return std::move(outcome_);
}

}  // namespace

asio::awaitable<Outcome> run_command(Clock& clock, CommandPlace place, const LaunchPlan& plan,
                                     const CommandOptions& options) {
  auto executor = co_await asio::this_coro::executor;
  CommandRun command(executor, clock, place, options);
  // In a coroutine of its own: from some point on it cannot be cancelled, and asio keeps that for
  // all that awaits in the same one. The caller would never hear of a cancellation again.
  co_return co_await asio::co_spawn(executor, command.run(plan), asio::use_awaitable);
}

}  // namespace fathom::sandbox
