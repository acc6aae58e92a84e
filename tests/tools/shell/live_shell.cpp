#include "tests/tools/shell/live_shell.hpp"

#include "sandbox/environment.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace fathom::test {

LiveShell::LiveShell(const std::function<void(sandbox::LauncherOptions&)>& change) {
  for (const char* folder : {"work", "home", "state"})
    std::filesystem::create_directory(root_ / folder);
  auto zygote = sandbox::ZygoteProcess::start();
  REQUIRE(zygote);
  zygote_ = *std::move(zygote);
  sandbox::LauncherOptions options;
  options.host = sandbox::look_at_host([this](const char* name) {
    return std::string_view(name) == "HOME" ? (root_ / "home").string() : std::string();
  });
  auto opened = sandbox::open_workspace(workspace(), options.host);
  REQUIRE(opened);
  options.workspace = *opened;
  options.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"};
  options.state = root_ / "state";
  if (change) change(options);
  commands_ = std::make_unique<tools::SandboxCommands>(*zygote_, clock_, std::move(options),
                                                       root_ / "state");
  bash_ = std::make_unique<tools::BashTool>(*commands_, clock_, workspace());
}

LiveShell::~LiveShell() {
  run_to_end(bash_->close());
  run_to_end(commands_->close());
}

void LiveShell::run_to_end(asio::awaitable<void> task) {
  std::exception_ptr failure;
  asio::co_spawn(io_, std::move(task), [&](std::exception_ptr error) {
    failure = error;
    io_.stop();  // the sandbox's services and jobs go on
  });
  io_.restart();
  io_.run();
  if (failure) std::rethrow_exception(failure);
}

tools::ToolOutput LiveShell::call(const std::string& json) {
  const auto arguments = tools::Arguments::parse(json);
  REQUIRE(arguments);
  const auto intent = bash_->intent(*arguments);
  INFO(json << ": " << (intent ? "" : intent.error().message));
  REQUIRE(intent);
  Result<tools::ToolOutput> output;
  run_to_end([](tools::BashTool& bash, const tools::Arguments& what,
                Result<tools::ToolOutput>& into) -> asio::awaitable<void> {
    const std::string id = "call";
    into = co_await bash.run(tools::Call{id, what, {}});
  }(*bash_, *arguments, output));
  INFO((output ? "" : output.error().message));
  REQUIRE(output);
  return *std::move(output);
}

tools::ToolOutput LiveShell::run(const std::string& command) {
  return call(nlohmann::json{{"command", command}}.dump());
}

}  // namespace fathom::test
