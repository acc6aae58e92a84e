// ShellJobs: the shell commands that run, or have ended and are still to be reported. A call that
// is waited for is one too: when its time to wait is up it simply goes on.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/signal.hpp"
#include "runtime/async/task_group.hpp"
#include "sandbox/output_capture.hpp"
#include "tools/commands.hpp"
#include "tools/shell/shell_script.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kJobsMax = 8;        // that run beside the call that is waited for
inline constexpr std::size_t kEndedJobsMax = 16;  // kept until somebody asks for them

struct ShellJob {
  ShellJob(const asio::any_io_executor& executor, std::uint64_t number, std::string words)
      : id(number), command(std::move(words)), changed(executor), task(executor) {}

  std::uint64_t id;
  std::string command;
  std::optional<ShellTicket> ticket;  ///< of its state, which counts when the call is waited for
  Instant started;
  bool announced = false;  ///< the model has been told that it ended
  bool forgotten = false;  ///< nobody will ask for it any more

  sandbox::OutputCapture unread;  ///< since the last look: bounded, what is dropped is counted
  bool was_read = false;          ///< so `unread` is not all
  Instant last_output;
  std::function<void(std::string_view)> on_output;  ///< who watches at the moment; may be empty

  std::optional<Result<sandbox::Outcome>> end;
  Signal changed;  ///< output came, or the end
  TaskGroup task;
};

class ShellJobs {
 public:
  /// Both outlive this.
  ShellJobs(Commands& commands, Clock& clock) : commands_(commands), clock_(clock) {}

  [[nodiscard]] bool is_full() const { return running() >= kJobsMax; }
  /// Starts `argv`; `command` is how people call it. Forgets the oldest ended job when there are
  /// too many.
  ShellJob& start(const asio::any_io_executor& executor, std::string command,
                  std::vector<std::string> argv);
  [[nodiscard]] ShellJob* find(std::uint64_t id) const;

  /// True when it has ended by `deadline`. Cancelling the caller leaves it running.
  asio::awaitable<bool> wait_for_end(ShellJob& job, Instant deadline);
  /// Returns when it has ended, when it said something and then was quiet, or at `deadline`.
  asio::awaitable<void> wait_for_news(ShellJob& job, Instant deadline);
  /// Kills its tree and waits for the end of it, cancelled or not.
  asio::awaitable<void> kill(ShellJob& job);
  /// Kills all, waits, forgets.
  asio::awaitable<void> close();

  /// What came since the last look.
  static sandbox::CapturedOutput take_output(ShellJob& job);
  /// It has ended, and everything is said about it.
  static void forget(ShellJob& job);

  /// That are not forgotten, by id.
  [[nodiscard]] std::vector<ShellJob*> all() const;
  [[nodiscard]] std::size_t running() const;

 private:
  asio::awaitable<void> drive(ShellJob& job, sandbox::Command command);
  void reap();

  Commands& commands_;
  Clock& clock_;
  std::vector<std::unique_ptr<ShellJob>> jobs_;  ///< by id
  std::uint64_t last_id_ = 0;
};

}  // namespace fathom::tools
