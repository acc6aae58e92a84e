// SandboxFixture: a workspace, a home with secrets in it, and a launcher; commands run to their
// end.
#pragma once

#include "sandbox/launcher.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fathom::test {

/// What a test changes before the launcher opens.
struct SandboxSetup {
  std::function<void(sandbox::LauncherOptions&)> change = {};
};

class SandboxFixture {
 public:
  explicit SandboxFixture(const SandboxSetup& setup = {});
  ~SandboxFixture();
  SandboxFixture(const SandboxFixture&) = delete;
  SandboxFixture& operator=(const SandboxFixture&) = delete;

  /// Opens the launcher on first use; fails the test when that fails.
  sandbox::Outcome run(sandbox::Command command);
  sandbox::Outcome sh(const std::string& script);

  /// Runs both until both have ended.
  std::pair<sandbox::Outcome, sandbox::Outcome> both(sandbox::Command first,
                                                     sandbox::Command second);

  Result<> open();
  void close();
  /// Ends the session; the next command opens another, after `change`.
  void reopen(const std::function<void(sandbox::LauncherOptions&)>& change);
  [[nodiscard]] sandbox::Launcher& launcher() { return *launcher_; }
  [[nodiscard]] const sandbox::Refusal& refusal() const { return refusal_; }
  [[nodiscard]] std::string workspace() const { return (root_ / "work").string(); }
  [[nodiscard]] std::string home() const { return (root_ / "home").string(); }
  [[nodiscard]] std::string state() const { return (root_ / "state").string(); }
  asio::io_context& io() { return io_; }

 private:
  void run_to_end(asio::awaitable<void> task);

  TempDir root_;
  asio::io_context io_{1};
  SystemClock clock_;
  std::unique_ptr<sandbox::ZygoteProcess> zygote_;
  sandbox::LauncherOptions options_;
  std::unique_ptr<sandbox::Launcher> launcher_;
  sandbox::Refusal refusal_;
};

/// "sh -c SCRIPT".
sandbox::Command shell_command(const std::string& script);

}  // namespace fathom::test
