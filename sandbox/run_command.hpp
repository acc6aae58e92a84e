// run_command(): one command in one cell, from launch to an empty process tree.
#pragma once

#include "runtime/async/clock.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/session.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fathom {
class OffloadPool;
}
namespace fathom::trace {
class BlobStore;
}

namespace fathom::sandbox {

enum class OutputStream : std::uint8_t { out, err };

/// Where a command's input comes from and its output goes, beside the outcome.
struct CommandIo {
  /// Descriptor for standard input; -1 is /dev/null. Stays the caller's. Only an anonymous pipe is
  /// passed as it is (see command_input.hpp).
  int input = -1;
  /// Sees every piece of output as it comes; may be empty.
  std::function<void(OutputStream, std::string_view)> on_output;
  /// Gets the master of the command's pseudo-terminal, when the plan asks for one; then nothing
  /// comes through the pipes.
  std::function<void(UniqueFd)> on_terminal;
  const trace::BlobStore* blobs = nullptr;  ///< takes whole outputs that were cut; may be absent
  OffloadPool* offload = nullptr;           ///< compresses them; goes with `blobs`
};

/// As CommandLimits::time: it goes on until it ends by itself or is cancelled.
inline constexpr Duration kNoDeadline = Duration::max();

struct CommandLimits {
  Duration time = std::chrono::minutes(10);
  std::uint64_t output_bytes = 256ULL << 20;
  /// How long processes that outlive the command's first one may go on.
  Duration leftover_grace = std::chrono::milliseconds(50);
};

/// What watches a running command and may end it. Its coroutines are cancelled at the command's
/// end.
class CommandWatch {
 public:
  CommandWatch() = default;
  virtual ~CommandWatch() = default;
  CommandWatch(const CommandWatch&) = delete;
  CommandWatch& operator=(const CommandWatch&) = delete;

  /// Runs beside the command from its launch on; `pidfd` is that of its init. A limit that is hit
  /// is noted in `outcome` before `kill` is called.
  virtual asio::awaitable<void> watch(int pidfd, Outcome& outcome, std::function<void()> kill);

  /// Answers the calls that wait at the seccomp listener, when the launch asked for one.
  virtual asio::awaitable<void> serve(UniqueFd listener, Outcome& outcome);
};

/// Where it runs.
struct CommandPlace {
  Session& session;
  Cell& cell;
};

struct CommandOptions {
  CommandIo io;
  CommandLimits limits;
  std::vector<CommandWatch*> watches;
};

/// Launches `plan` and waits until its tree is empty and its output read. Cancelling the caller
/// kills the tree, waits for its end and unwinds as cancelled.
asio::awaitable<Outcome> run_command(Clock& clock, CommandPlace place, const LaunchPlan& plan,
                                     const CommandOptions& options);

}  // namespace fathom::sandbox
