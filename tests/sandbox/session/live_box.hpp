// LiveBox: a session without a launcher around it: a zygote, a plan, cells. For what a launcher
// hides: pids, sockets and descriptors.
#pragma once

#include "sandbox/compile.hpp"
#include "sandbox/run_command.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>

namespace fathom::test {

class LiveBox {
 public:
  LiveBox();
  ~LiveBox();
  LiveBox(const LiveBox&) = delete;
  LiveBox& operator=(const LiveBox&) = delete;

  /// Runs a task to its end.
  void run(boost::asio::awaitable<void> task);
  sandbox::Outcome run(const sandbox::LaunchPlan& launch, sandbox::CommandOptions options = {});

  /// A cell whose command's init has begun.
  std::unique_ptr<sandbox::Cell> cell();

  [[nodiscard]] sandbox::LaunchPlan sh(const std::string& script) const;
  [[nodiscard]] std::string workspace() const { return (root_ / "work").string(); }
  [[nodiscard]] TempDir& root() { return root_; }
  sandbox::ZygoteProcess& zygote() { return *zygote_; }
  sandbox::Session& session() { return *session_; }
  Clock& clock() { return clock_; }
  boost::asio::io_context& io() { return io_; }

 private:
  TempDir root_;
  boost::asio::io_context io_{1};
  SystemClock clock_;
  std::unique_ptr<sandbox::ZygoteProcess> zygote_;
  sandbox::SessionPlan plan_;
  std::unique_ptr<sandbox::Session> session_;
};

/// Descriptors that this process has open.
std::size_t open_descriptors();

/// Processes whose command line has `mark` as one of its words, by pid.
std::vector<pid_t> processes_with(const std::string& mark);

}  // namespace fathom::test
