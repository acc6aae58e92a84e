#include "tests/sandbox/session/live_box.hpp"

#include "runtime/base/file.hpp"
#include "sandbox/filter_cache.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace fathom::test {

using namespace sandbox;

LiveBox::LiveBox() {
  std::filesystem::create_directory(root_ / "work");
  std::filesystem::create_directory(root_ / "home");
  auto zygote = ZygoteProcess::start();
  REQUIRE(zygote);
  zygote_ = *std::move(zygote);
  const policies::Policy policy;
  const HostFacts host = look_at_host([this](const char* name) {
    return std::string_view(name) == "HOME" ? (root_ / "home").string() : std::string();
  });
  const auto workspace = open_workspace(this->workspace(), host);
  REQUIRE(workspace);
  FilterCache filters;
  FilterOptions filter;
  filter.unix_sockets = true;
  const auto program = filters.bytes(filter);
  REQUIRE(program);
  CompileInput input{policy, host, *workspace};
  if (host.uid == 0 && workspace->owner != 0) input.root_mode = RootMode::workspace;
  input.filters = {*program};
  auto plan = compile(input);
  REQUIRE(plan);
  plan_ = *std::move(plan);
  auto session = Session::open(*zygote_, plan_, io_.get_executor());
  REQUIRE(session);
  session_ = *std::move(session);
  Result<> ready;
  run([](Session& opened, Result<>& into) -> boost::asio::awaitable<void> {
    into = co_await opened.ready();
  }(*session_, ready));
  INFO((ready ? "" : ready.error().message));
  REQUIRE(ready);
}

LiveBox::~LiveBox() {
  if (session_) run(session_->close());
}

void LiveBox::run(boost::asio::awaitable<void> task) {
  std::exception_ptr failure;
  boost::asio::co_spawn(io_, std::move(task), [&](std::exception_ptr error) { failure = error; });
  io_.restart();
  io_.run();
  if (failure) std::rethrow_exception(failure);
}

std::unique_ptr<Cell> LiveBox::cell() {
  auto prepared = session_->prepare();
  REQUIRE(prepared);
  return *std::move(prepared);
}

Outcome LiveBox::run(const LaunchPlan& launch, CommandOptions options) {
  const auto prepared = cell();
  Outcome outcome;
  run([](LiveBox& self, Cell& in, const LaunchPlan& what, const CommandOptions& how,
         Outcome& into) -> boost::asio::awaitable<void> {
    into = co_await run_command(self.clock_, {*self.session_, in}, what, how);
  }(*this, *prepared, launch, options, outcome));
  return outcome;
}

LaunchPlan LiveBox::sh(const std::string& script) const {
  LaunchPlan launch;
  launch.working_dir = workspace();
  launch.argv = {"/bin/sh", "-c", script};
  launch.env = {"PATH=/usr/bin:/bin"};
  return launch;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    (void)entry;
    ++count;
  }
  return count;
}

constexpr std::size_t kWordsBytesMax = 1UL << 20;  // of one process

std::vector<pid_t> processes_with(const std::string& mark) {
  std::vector<pid_t> found;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    // A process may end between its name and its words.
    const std::string line = read_file(entry.path() / "cmdline", kWordsBytesMax).value_or("");
    for (std::size_t at = 0; at < line.size(); at = line.find('\0', at) + 1) {
      if (line.substr(at, line.find('\0', at) - at) == mark) found.push_back(pid);
      if (line.find('\0', at) == std::string::npos) break;
    }
  }
  return found;
}

}  // namespace fathom::test
