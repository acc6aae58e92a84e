#include "tests/tools/reports/live_workspace.hpp"

#include "policies/policy_files.hpp"
#include "sandbox/environment.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace fathom::test {
namespace {

std::string search_path() {
  const char* path = std::getenv("PATH");
  return path ? path : "/usr/local/bin:/usr/bin:/bin";
}

// Toolchains in the user's home keep their data beside it.
std::string rustup_home() {
  const char* home = std::getenv("HOME");
  return home ? std::string(home) + "/.rustup" : std::string();
}

void run_to_end(asio::io_context& io, asio::awaitable<void> task) {
  std::exception_ptr failure;
  asio::co_spawn(io, std::move(task), [&](std::exception_ptr error) {
    failure = error;
    io.stop();  // the launcher's services go on
  });
  io.restart();
  io.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

bool has_program(const std::string& name) {
  std::istringstream folders{search_path()};
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((folder + "/" + name).c_str(), X_OK) == 0) return true;
  return false;
}

LiveWorkspace::LiveWorkspace() {
  for (const char* folder : {"work", "home", "state"})
    std::filesystem::create_directory(root_ / folder);
  const std::string home = (root_ / "home").string();
  const auto env = [home](const char* name) {
    return std::string_view(name) == "HOME" ? home : std::string();
  };
  auto zygote = sandbox::ZygoteProcess::start();
  REQUIRE(zygote);
  zygote_ = *std::move(zygote);
  sandbox::LauncherOptions options;
  options.host = sandbox::look_at_host(env);
  auto opened = sandbox::open_workspace((root_ / "work").string(), options.host);
  REQUIRE(opened);
  options.workspace = *opened;
  path_ = opened->root;
  auto policy = policies::load_effective_policy({path_, ""}, env);
  REQUIRE(policy);
  options.policy = std::move(policy->policy);
  options.environment = {"PATH=" + search_path(), "LANG=C.UTF-8", "RUSTUP_HOME=" + rustup_home()};
  options.state = (root_ / "state").string();
  commands_ = std::make_unique<tools::SandboxCommands>(*zygote_, clock_, std::move(options),
                                                       root_ / "state");
}

LiveWorkspace::~LiveWorkspace() { run_to_end(io_, commands_->close()); }

void LiveWorkspace::write(std::string_view name, std::string_view bytes) {
  root_.write("work/" + std::string(name), bytes);
}

tools::ToolOutput LiveWorkspace::call(const std::string& json, tools::TestSettings settings) {
  if (!tool_) tool_ = std::make_unique<tools::RunTests>(*commands_, path_, std::move(settings));
  const auto arguments = tools::Arguments::parse(json);
  REQUIRE(arguments);
  Result<tools::ToolOutput> output = fail(ErrorCode::io, "it did not answer");
  const std::string id = "call-1";
  const tools::Call call{id, *arguments, {}};
  run_to_end(io_,
             [](tools::RunTests& tool, const tools::Call& what,
                Result<tools::ToolOutput>& into) -> asio::awaitable<void> {
               auto running = tool.run(what);
               into = co_await std::move(running);
             }(*tool_, call, output));
  INFO((output ? "" : output.error().message));
  REQUIRE(output);
  return *std::move(output);
}

}  // namespace fathom::test
