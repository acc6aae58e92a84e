// LiveShell: the bash tool over a real sandbox, in a workspace of its own.
#pragma once

#include "tests/support/temp_dir.hpp"
#include "tools/shell/bash_tool.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>

namespace fathom::test {

class LiveShell {
 public:
  explicit LiveShell(const std::function<void(sandbox::LauncherOptions&)>& change = {});
  ~LiveShell();
  LiveShell(const LiveShell&) = delete;
  LiveShell& operator=(const LiveShell&) = delete;

  /// One call with these arguments; fails the test when the tool answers with an error.
  tools::ToolOutput call(const std::string& json);
  /// One call of a command, and its output.
  tools::ToolOutput run(const std::string& command);
  std::string sh(const std::string& command) { return run(command).text.text(); }

  [[nodiscard]] std::string workspace() const { return (root_ / "work").string(); }
  [[nodiscard]] tools::SandboxCommands& commands() { return *commands_; }

 private:
  void run_to_end(asio::awaitable<void> task);

  TempDir root_;
  asio::io_context io_{1};
  SystemClock clock_;
  std::unique_ptr<sandbox::ZygoteProcess> zygote_;
  std::unique_ptr<tools::SandboxCommands> commands_;
  std::unique_ptr<tools::BashTool> bash_;
};

}  // namespace fathom::test
