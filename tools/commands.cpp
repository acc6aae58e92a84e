#include "tools/commands.hpp"

#include "runtime/base/ensure.hpp"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace fathom::tools {

SandboxCommands::SandboxCommands(sandbox::ZygoteProcess& zygote, Clock& clock,
                                 sandbox::LauncherOptions options,
                                 std::filesystem::path probe_cache)
    : zygote_(zygote),
      clock_(clock),
      options_(std::move(options)),
      probe_cache_(std::move(probe_cache)) {}

SandboxCommands::~SandboxCommands() {
  ENSURE(!launcher_, "close() waits for the session's last process");
}

asio::awaitable<Result<>> SandboxCommands::open() {
  if (!opened_) opened_.emplace(co_await asio::this_coro::executor);
  while (opening_) co_await opened_->wait();
  if (launcher_) co_return Result<>{};
  if (failed_) co_return fail(*failed_);
  ENSURE(options_.has_value(), "a session that was closed is not opened again");
  // A cancelled opening must leave the others a way on: whoever waits tries for itself.
  struct Opening {
    SandboxCommands& commands;
    explicit Opening(SandboxCommands& opened) : commands(opened) { commands.opening_ = true; }
    ~Opening() {
      commands.opening_ = false;
      commands.opened_->notify_all();
    }
    Opening(const Opening&) = delete;
    Opening& operator=(const Opening&) = delete;
  } const opening(*this);
  if (!options_->probes)
    options_->probes =
        co_await sandbox::probe_once_a_boot(zygote_, clock_, options_->host, probe_cache_);
  sandbox::Refusal refusal;
  auto launcher = co_await sandbox::Launcher::open(zygote_, clock_, *options_, &refusal);
  if (!launcher) {
    failed_ = Error{ErrorCode::unsupported, std::move(launcher).error().message};
    refusal_ = std::move(refusal);
    co_return fail(*failed_);
  }
  launcher_ = *std::move(launcher);
  co_return Result<>{};
}

asio::awaitable<Result<sandbox::Outcome>> SandboxCommands::run(sandbox::Command command) {
  auto opening = open();
  const Result<> opened = co_await std::move(opening);
  if (!opened) co_return fail(opened.error());
  auto running = launcher_->run(std::move(command));
  co_return co_await std::move(running);
}

Result<sandbox::WorkspaceView> SandboxCommands::view() const {
  if (!launcher_) return fail(ErrorCode::unsupported, "the sandbox is not open");
  return launcher_->view();
}

asio::awaitable<void> SandboxCommands::close() {
  options_.reset();
  if (!launcher_) co_return;
  co_await launcher_->close();
  launcher_.reset();
}

}  // namespace fathom::tools
