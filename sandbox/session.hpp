// Session: the namespaces that the commands of one agent share (network, host name, IPC, /tmp), and
// Cell: those of one command.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/plan.hpp"
#include "sandbox/zygote_process.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

namespace fathom::sandbox {

namespace asio = boost::asio;

/// What a cell reports, in no fixed order but that `End` is last.
namespace cell_event {
struct Started {
  UniqueFd pidfd;  ///< of the init; readable when the whole tree is gone
};
struct Listener {
  UniqueFd fd;  ///< seccomp user-notify
};
struct Terminal {
  UniqueFd fd;  ///< master of the command's pseudo-terminal
};
struct Failed {
  wire::Stage stage{};
  int error = 0;
  std::uint32_t detail = 0;
};
struct Exited {
  int status = 0;  ///< as waitpid(2)
  bool left = false;
  std::uint64_t user_us = 0;
  std::uint64_t system_us = 0;
  std::uint64_t memory_bytes_max = 0;
};
struct End {};
}  // namespace cell_event

using CellEvent = std::variant<cell_event::Started, cell_event::Listener, cell_event::Terminal,
                               cell_event::Failed, cell_event::Exited, cell_event::End>;

/// The namespaces of one command, waiting for its launch or running it. Destroying it closes its
/// socket: an unlaunched cell ends by itself.
class Cell {
 public:
  Cell(asio::any_io_executor executor, UniqueFd socket);

  /// Starts the command. `stdio` are three descriptors; they are not kept.
  Result<> launch(const LaunchPlan& plan, const std::array<int, 3>& stdio);

  asio::awaitable<Result<CellEvent>> next();

  /// Asks the init to sweep its descendants and end: for rungs where killing it is not enough.
  void ask_to_end();

 private:
  asio::posix::stream_descriptor socket_;
};

/// Which of the session's filters a cell's command gets, and whether it has calls that wait for us.
struct CellFilter {
  std::uint32_t index = 0;
  bool notify = false;
};

class Session {
 public:
  /// Asks for a session and returns at once; cells can be prepared and launched while it is built.
  static Result<std::unique_ptr<Session>> open(ZygoteProcess& zygote, const SessionPlan& plan,
                                               asio::any_io_executor executor);

  /// Waits until the session stands. The error names the stage; failed_stage() has it as a value.
  asio::awaitable<Result<>> ready();
  [[nodiscard]] wire::Stage failed_stage() const { return failed_stage_; }

  /// The sockets of the plan's listeners, once ready() has returned. They are the session's
  /// network's.
  std::vector<UniqueFd>& listeners() { return listeners_; }

  /// The plan's shown folder as the session sees it, once ready() has returned; else empty.
  [[nodiscard]] const UniqueFd& shown() const { return shown_; }

  /// A new command's namespaces; `extra` are mount operations for it alone.
  Result<std::unique_ptr<Cell>> prepare(const MountRecipe* extra = nullptr, CellFilter filter = {});

  /// Whether a command's tree dies with its init.
  [[nodiscard]] bool has_pid_namespaces() const { return has_pid_namespaces_; }

  /// pid of the holder as this process sees it; 0 before ready().
  [[nodiscard]] pid_t holder() const { return holder_; }

  /// Ends the session and waits until its last process is gone.
  asio::awaitable<void> close();

 private:
  Session(asio::any_io_executor executor, UniqueFd socket);
  Result<> take_started(const wire::SessionStarted& message, std::vector<UniqueFd> fds);
  Result<> take_ready(const wire::SessionReady& message, std::vector<UniqueFd> fds);

  asio::any_io_executor executor_;
  asio::posix::stream_descriptor socket_;
  UniqueFd pidfd_;
  pid_t holder_ = 0;
  bool has_pid_namespaces_ = false;
  bool started_ = false;
  bool ready_ = false;
  wire::Stage failed_stage_ = wire::Stage::none;
  std::optional<Error> error_;
  std::vector<UniqueFd> listeners_;
  bool has_shown_ = false;  ///< the plan names one
  UniqueFd shown_;
};

/// Returns when `fd` is readable. Throws operation_aborted on cancellation.
asio::awaitable<void> wait_readable(const asio::any_io_executor& executor, int fd);

/// One line for a failed stage: what could not be done, and why.
std::string stage_text(wire::Stage stage, int error, std::uint32_t detail);

}  // namespace fathom::sandbox
