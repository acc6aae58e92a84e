#include "tests/tools/reports/live_workspace.hpp"

#include "policies/policy_files.hpp"
#include "sandbox/environment.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>

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

tools::ToolOutput LiveWorkspace::call(const std::string& arguments, tools::TestSettings settings) {
  if (!tool_) tool_ = std::make_unique<tools::RunTests>(*commands_, path_, std::move(settings));
  return call(*tool_, arguments);
}

bool LiveWorkspace::has_program(const std::string& name) {
  tools::TestSettings settings;
  settings.command = {"sh", "-c", name + " --version || " + name + " version"};
  tools::RunTests asked{*commands_, path_, std::move(settings)};
  return nlohmann::json::parse(call(asked, "{}").data)["verdict"] == "passed";
}

tools::ToolOutput LiveWorkspace::call(tools::RunTests& tool, const std::string& arguments) {
  const auto parsed = tools::Arguments::parse(arguments);
  REQUIRE(parsed);
  Result<tools::ToolOutput> output = fail(ErrorCode::io, "it did not answer");
  const std::string id = "call-1";
  const tools::Call asked{id, *parsed, {}};
  run_to_end(io_,
             [](tools::RunTests& runner, const tools::Call& what,
                Result<tools::ToolOutput>& into) -> asio::awaitable<void> {
               auto running = runner.run(what);
               into = co_await std::move(running);
             }(tool, asked, output));
  INFO((output ? "" : output.error().message));
  REQUIRE(output);
  return *std::move(output);
}

}  // namespace fathom::test
