// LiveWorkspace: a repository in a sandbox as it ships, and run_tests on it.
#pragma once

#include "tests/support/temp_dir.hpp"
#include "tools/run_tests.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace fathom::test {

class LiveWorkspace {
 public:
  LiveWorkspace();
  ~LiveWorkspace();
  LiveWorkspace(const LiveWorkspace&) = delete;
  LiveWorkspace& operator=(const LiveWorkspace&) = delete;

  void write(std::string_view name, std::string_view bytes);
  /// The folder, as the sandbox and the host see it.
  [[nodiscard]] const std::string& path() const { return path_; }

  /// Fails the test when the call is an error.
  tools::ToolOutput call(const std::string& arguments, tools::TestSettings settings = {});
  /// Whether a program starts in the sandbox: what the host has in a home folder may be hidden
  /// there.
  bool has_program(const std::string& name);

 private:
  tools::ToolOutput call(tools::RunTests& tool, const std::string& arguments);

  TempDir root_;
  std::string path_;
  asio::io_context io_{1};
  SystemClock clock_;
  std::unique_ptr<sandbox::ZygoteProcess> zygote_;
  std::unique_ptr<tools::SandboxCommands> commands_;
  std::unique_ptr<tools::RunTests> tool_;
};

}  // namespace fathom::test
