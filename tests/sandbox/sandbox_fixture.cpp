#include "tests/sandbox/sandbox_fixture.hpp"

#include "sandbox/environment.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>

#include <filesystem>

namespace fathom::test {

SandboxFixture::SandboxFixture(const SandboxSetup& setup) {
  for (const char* folder : {"work", "home", "state"})
    std::filesystem::create_directory(root_ / folder);
  root_.write("home/.ssh/id_rsa", "SECRET-KEY\n");
  auto zygote = sandbox::ZygoteProcess::start();
  REQUIRE(zygote);
  zygote_ = *std::move(zygote);
  options_.host = sandbox::look_at_host([this](const char* name) {
    return std::string_view(name) == "HOME" ? home() : std::string();
  });
  auto opened = sandbox::open_workspace(workspace(), options_.host);
  REQUIRE(opened);
  options_.workspace = *opened;
  options_.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "GITHUB_TOKEN=ghp_secret",
                          "LANG=C.UTF-8"};
  options_.state = state();
  if (setup.change) setup.change(options_);
}

SandboxFixture::~SandboxFixture() { close(); }

void SandboxFixture::close() {
  if (launcher_) run_to_end(launcher_->close());
  launcher_.reset();
}

void SandboxFixture::run_to_end(asio::awaitable<void> task) {
  std::exception_ptr failure;
  asio::co_spawn(io_, std::move(task), [&](std::exception_ptr error) {
    failure = error;
    io_.stop();  // a launcher's services go on
  });
  io_.restart();
  io_.run();
  if (failure) std::rethrow_exception(failure);
}

Result<> SandboxFixture::open() {
  if (launcher_) return {};
  Result<> opened;
  run_to_end([](SandboxFixture& self, Result<>& result) -> asio::awaitable<void> {
    auto launcher =
        co_await sandbox::Launcher::open(*self.zygote_, self.clock_, self.options_, &self.refusal_);
    if (launcher)
      self.launcher_ = *std::move(launcher);
    else
      result = fail(launcher.error());
  }(*this, opened));
  return opened;
}

void SandboxFixture::reopen(const std::function<void(sandbox::LauncherOptions&)>& change) {
  if (launcher_) run_to_end(launcher_->close());
  launcher_.reset();
  change(options_);
}

sandbox::Outcome SandboxFixture::run(sandbox::Command command) {
  if (!launcher_) {
    const Result<> opened = open();
    INFO((opened ? "" : opened.error().message));
    REQUIRE(opened);
  }
  sandbox::Outcome outcome;
  run_to_end([](SandboxFixture& self, sandbox::Command& what,
                sandbox::Outcome& into) -> asio::awaitable<void> {
    into = co_await self.launcher_->run(std::move(what));
  }(*this, command, outcome));
  return outcome;
}

sandbox::Outcome SandboxFixture::sh(const std::string& script) {
  return run(shell_command(script));
}

std::pair<sandbox::Outcome, sandbox::Outcome> SandboxFixture::both(sandbox::Command first,
                                                                   sandbox::Command second) {
  if (!launcher_) REQUIRE(open());
  std::pair<sandbox::Outcome, sandbox::Outcome> outcomes;
  std::size_t left = 2;
  const auto start = [this, &left](sandbox::Command& what, sandbox::Outcome& into) {
    asio::co_spawn(
        io_,
        [](sandbox::Launcher& launcher, sandbox::Command& command,
           sandbox::Outcome& out) -> asio::awaitable<void> {
          out = co_await launcher.run(std::move(command));
        }(*launcher_, what, into),
        [this, &left](std::exception_ptr error) {
          if (error) std::rethrow_exception(error);
          if (--left == 0) io_.stop();
        });
  };
  start(first, outcomes.first);
  start(second, outcomes.second);
  io_.restart();
  io_.run();
  return outcomes;
}

sandbox::Command shell_command(const std::string& script) {
  sandbox::Command command;
  command.argv = {"/bin/sh", "-c", script};
  return command;
}

}  // namespace fathom::test
