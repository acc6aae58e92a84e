// Commands: how tools run programs. SandboxCommands is the one way there is outside tests.
#pragma once

#include "runtime/async/signal.hpp"
#include "runtime/base/result.hpp"
#include "sandbox/launcher.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <memory>
#include <optional>

namespace fathom::tools {

namespace asio = boost::asio;

class Commands {
 public:
  Commands() = default;
  virtual ~Commands() = default;
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  /// Runs one confined command to its end; several may run at once. Output is in the outcome and
  /// goes to `command.on_output` while it comes. `unsupported`: the sandbox that the policy
  /// requires is not to be had here, nothing ran. Cancelling kills the tree and waits for its end.
  virtual asio::awaitable<Result<sandbox::Outcome>> run(sandbox::Command command) = 0;
};

/// Opens the sandbox with the first command: sessions that only edit files never pay for it.
class SandboxCommands final : public Commands {
 public:
  /// The zygote was started before there were threads. `probe_cache` is the folder where what this
  /// machine allows is remembered. All references outlive this.
  SandboxCommands(sandbox::ZygoteProcess& zygote, Clock& clock, sandbox::LauncherOptions options,
                  std::filesystem::path probe_cache);
  ~SandboxCommands() override;

  asio::awaitable<Result<sandbox::Outcome>> run(sandbox::Command command) override;

  /// Opens it now. Calls that come meanwhile wait for it.
  asio::awaitable<Result<>> open();
  /// Ends the session and waits for its last process. No call may be running.
  asio::awaitable<void> close();

  /// What is missing, when opening was refused.
  [[nodiscard]] const std::optional<sandbox::Refusal>& refusal() const { return refusal_; }
  /// The workspace as commands see it, of a session that is open and whose edits are not direct.
  [[nodiscard]] Result<sandbox::WorkspaceView> view() const;
  /// Processor time of all commands so far.
  [[nodiscard]] Duration cpu_used() const {
    return launcher_ ? Duration(launcher_->cpu_used()) : Duration{};
  }
  [[nodiscard]] const sandbox::Launcher* launcher() const { return launcher_.get(); }

 private:
  sandbox::ZygoteProcess& zygote_;
  Clock& clock_;
  std::optional<sandbox::LauncherOptions> options_;  ///< until it is closed
  std::unique_ptr<sandbox::Launcher> launcher_;
  std::optional<sandbox::Refusal> refusal_;
  std::filesystem::path probe_cache_;
  std::optional<Error> failed_;
  std::optional<Signal> opened_;
  bool opening_ = false;
};

}  // namespace fathom::tools
