// The 29 toolchain workloads (tests/sandbox/workloads): none may break under the default policy.
#include "policies/policy_files.hpp"
#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/skip.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <sstream>

namespace fathom::test {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPath = "/usr/local/bin:/usr/bin:/bin";
constexpr int kWorkloadsMin = 20;  // fewer that ran means that the tools are missing: no result

struct Workload {
  std::string_view script;
  std::string_view tools;  ///< that must be there
};

constexpr auto kWorkloads = std::to_array<Workload>({
    {"01_gcc_lto", "gcc"},
    {"02_cpp_threads", "g++"},
    {"03_address_sanitizer", "gcc"},
    {"04_leak_sanitizer", "gcc"},
    {"05_thread_sanitizer", "g++"},
    {"06_make", "gcc make"},
    {"07_cmake_ninja_ctest", "gcc cmake ninja"},
    {"08_gdb_breakpoint", "gcc gdb"},
    {"09_gdb_stable_addresses", "gcc gdb"},
    {"10_strace", "strace"},
    {"11_valgrind", "gcc valgrind"},
    {"12_python_subprocess", "python3"},
    {"13_python_multiprocessing", "python3"},
    {"14_python_threads", "python3"},
    {"15_python_http", "python3"},
    {"16_python_unix_sockets", "python3"},
    {"17_python_asyncio", "python3"},
    {"18_node_exec_sync", "node"},
    {"19_node_interfaces", "node"},
    {"20_node_servers", "node"},
    {"21_npm", "npm"},
    {"22_cargo", "cargo gcc"},
    {"23_go_build", "go"},
    {"24_go_network_exec", "go"},
    {"25_go_test", "go"},
    {"26_java", "javac"},
    {"27_java_zgc", "javac"},
    {"28_git", "git"},
    {"29_ps", "ps"},
});

bool is_there(const std::string& tool) {
  std::istringstream folders{std::string(kPath)};
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((folder + "/" + tool).c_str(), X_OK) == 0) return true;
  return false;
}

std::string missing_tool(const Workload& workload) {
  std::istringstream tools{std::string(workload.tools)};
  for (std::string tool; tools >> tool;)
    if (!is_there(tool)) return tool;
  return "";
}

std::string workloads_folder() { return FATHOM_SOURCES "/tests/sandbox/workloads"; }

// What a workload is run with, confined or not: home and caches inside its own folder.
std::vector<policies::EnvironmentVariable> variables(const std::string& folder,
                                                     sandbox::Rung rung) {
  std::vector<policies::EnvironmentVariable> all = {{"HOME", folder + "/home"},
                                                    {"CARGO_HOME", folder + "/home/cargo"},
                                                    {"GOPATH", folder + "/home/go"},
                                                    {"GOFLAGS", "-mod=mod"},
                                                    {"WORKLOADS", workloads_folder()}};
  if (rung == sandbox::Rung::container) all.push_back({"TMPDIR", folder + "/home"});
  return all;
}

std::vector<std::string> command_of(const Workload& workload) {
  const std::string script = workloads_folder() + "/" + std::string(workload.script) + ".sh";
  return {"/bin/bash", "-c", "set -eu; . \"$1\"; echo OK", "workload", script};
}

// Whether the machine itself fails it.
std::string unconfined(const Workload& workload, const std::string& folder) {
  ProgramOptions options;
  options.environment = {"PATH=" + std::string(kPath)};
  for (const auto& variable : variables(folder, sandbox::Rung::full))
    options.environment.push_back(variable.name + "=" + variable.value);
  std::vector<std::string> argv = {"/usr/bin/env", "-C", folder};
  for (std::string& word : command_of(workload)) argv.push_back(std::move(word));
  const ProgramResult result = run_program(argv, options);
  return result.out + result.err;
}

SandboxSetup with_default_policy(sandbox::Rung rung) {
  return {[rung](sandbox::LauncherOptions& options) {
    const std::string home = options.host.home;
    auto policy = policies::load_effective_policy(
        {options.workspace.root, ""},
        [&](const char* name) { return std::string_view(name) == "HOME" ? home : std::string(); });
    REQUIRE(policy);
    options.policy = std::move(policy->policy);
    options.rung = rung;
  }};
}

bool passes(SandboxFixture& box, const Workload& workload) {
  const std::string folder = box.workspace() + "/" + std::string(workload.script);
  fs::create_directories(folder + "/home");
  sandbox::Command command;
  command.argv = command_of(workload);
  command.working_dir = folder;
  command.environment = variables(folder, box.launcher().rung());
  const sandbox::Outcome outcome = box.run(command);
  if (outcome.out.text().ends_with("OK\n")) return true;
  const std::string beside = folder + "-unconfined";
  fs::create_directories(beside + "/home");
  UNSCOPED_INFO(workload.script << ": " << sandbox::summary(outcome) << "\n"
                                << outcome.out.text() << outcome.err.text()
                                << "\nunconfined: " << unconfined(workload, beside));
  return false;
}

void run_all(sandbox::Rung rung) {
  SandboxFixture box(with_default_policy(rung));
  REQUIRE(box.open());
  int executed = 0;
  for (const Workload& workload : kWorkloads) {
    const std::string name(workload.script);
    const std::string missing = missing_tool(workload);
    if (!missing.empty()) {
      std::printf("workloads: %s: skipped: %s is not installed\n", name.c_str(), missing.c_str());
      continue;
    }
    CHECK(passes(box, workload));
    ++executed;
  }
  std::printf("workloads: %s rung: %d of %zu executed\n",
              std::string(sandbox::name_of(rung)).c_str(), executed, kWorkloads.size());
  CHECK(executed >= kWorkloadsMin);
}

TEST_CASE("the toolchains work on the full rung", "[workload]") { run_all(sandbox::Rung::full); }

TEST_CASE("the toolchains work on the container rung", "[workload]") {
  run_all(sandbox::Rung::container);
}

}  // namespace
}  // namespace fathom::test
