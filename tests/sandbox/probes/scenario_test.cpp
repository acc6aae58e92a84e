// Rows of the probe list that take more than one process or a launcher of their own: daemons,
// bombs, limits, refusals, two sandboxes beside each other.
#include "runtime/base/file.hpp"
#include "tests/sandbox/probes/probe_run.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using sandbox::Command;
using sandbox::Ending;
using sandbox::Outcome;
using sandbox::Rung;
using namespace std::chrono_literals;

constexpr std::string_view kToken = "fathom-survivor-";

Command probe(ProbeBox& box, std::initializer_list<std::string> words) {
  Command command;
  command.argv = {box.confined_places()["self"]};
  command.argv.insert(command.argv.end(), words);
  return command;
}

// An argument that no other run has, to find processes of this one by.
std::string token(std::string_view scenario) {
  return std::string(kToken) + std::string(scenario) + std::to_string(::getpid());
}

int survivors(const std::string& argument) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    // A process may end between its name and its words.
    const std::string line = read_file(entry.path() / "cmdline", 1UL << 20).value_or("");
    if (line.contains(argument)) ++count;
  }
  return count;
}

void workspaces_are_resolved_once(Rung) {
  const TempDir root;
  fs::create_directories(root / "real");
  fs::create_symlink(root / "real", root / "link");
  const std::string real = (root / "real").string();
  sandbox::HostFacts host;
  host.home = (root / "home").string();
  fs::create_directories(host.home);
  for (const std::string& spelling :
       {(root / "link").string(), real + "/", real + "//", root.path().string() + "/./link/."}) {
    const auto workspace = sandbox::open_workspace(spelling, host);
    INFO(spelling);
    REQUIRE(workspace);
    CHECK(workspace->root == real);
  }
  for (const std::string& refused : {(root / "missing").string(), std::string("/"), host.home})
    CHECK_FALSE(sandbox::open_workspace(refused, host));
}

// A repository that did not exist before, with a hook and a configuration that runs a program.
void new_repositories_run_nothing(Rung rung) {
  ProbeBox box({.rung = rung});
  const std::string work = box.confined_places()["work"];
  const Outcome outcome = box.box().sh(
      "mkdir -p a/b/c && cd a/b/c && git init -q . && printf '#!/bin/sh\\n' > "
      ".git/hooks/post-checkout"
      " && chmod +x .git/hooks/post-checkout && git config core.fsmonitor ./run && echo made;"
      "cd " +
      work + "; echo all: > Makefile");
  CHECK(outcome.out.text() == "made\n");
  CHECK_FALSE(fs::exists(work + "/a/b/c/.git/hooks/post-checkout"));
  if (fs::exists(work + "/a/b/c/.git/config"))
    CHECK_FALSE(slurp(work + "/a/b/c/.git/config").contains("fsmonitor"));
  CHECK_FALSE(outcome.repaired.empty());
  CHECK(std::ranges::any_of(outcome.runs_later,
                            [](const std::string& path) { return path.ends_with("Makefile"); }));
}

// The repository is moved away and another one with a hook is put in its place.
void replaced_repositories_run_nothing(Rung rung) {
  ProbeBox box({.rung = rung});
  const std::string work = box.confined_places()["work"];
  const Outcome outcome = box.box().sh(
      "mv .git away 2>/dev/null; git init -q . 2>/dev/null; echo x > .git/hooks/post-checkout;"
      "chmod +x .git/hooks/post-checkout; echo tried");
  CHECK(outcome.out.text() == "tried\n");
  CHECK_FALSE(fs::exists(work + "/.git/hooks/post-checkout"));
}

// The user's git replaces its config while the session lives, which takes a mount along.
void replaced_files_stay_protected(Rung rung) {
  ProbeBox box({.rung = rung});
  const fs::path work = box.confined_places()["work"];
  CHECK(box.box().sh("echo first").out.text() == "first\n");
  const std::string ours = "[core]\n\tbare = false\n[user]\n\tname = somebody\n";
  std::ofstream(work / ".git/config.lock") << ours;
  fs::rename(work / ".git/config.lock", work / ".git/config");
  const Outcome outcome =
      box.box().sh("printf '[core]\\n\\tfsmonitor = ./run\\n' >> .git/config; echo tried");
  CHECK(outcome.out.text() == "tried\n");
  CHECK(slurp(work / ".git/config") == ours);
}

void commits_work(Rung rung) {
  ProbeBox box({.rung = rung});
  const Outcome outcome = box.box().sh(
      "git init -q repository && cd repository && git -c user.name=a -c user.email=a@example.com "
      "commit -q --allow-empty -m one && git log --oneline | wc -l");
  CHECK(outcome.out.text() == "1\n");
  const Outcome next = box.box().sh(
      "cd repository && git -c user.name=a -c user.email=a@example.com commit -q --allow-empty "
      "-m two && git checkout -q -b topic && git log --oneline | wc -l");
  CHECK(next.out.text() == "2\n");
}

void daemons_end_with_their_command(Rung rung) {
  ProbeBox box({.rung = rung});
  const std::string name = token("daemon");
  const Outcome outcome = box.box().run(probe(box, {"leave_daemons", "10", "0", name}));
  CHECK(outcome.ending == Ending::exited);
  CHECK(outcome.out.text() == "ok\n");
  CHECK(outcome.left_processes);
  CHECK(survivors(name) == 0);
}

void daemons_end_at_the_deadline(Rung rung) {
  ProbeBox box({.rung = rung, .change = [](sandbox::LauncherOptions& options) {
                  options.policy.limits.pids = 256;
                }});
  const std::string name = token("deadline");
  Command command = probe(box, {"leave_daemons", "50", "1", name});
  command.time = 500ms;
  const Outcome outcome = box.box().run(command);
  CHECK(outcome.ending == Ending::deadline);
  CHECK(outcome.out.text() == "ok\n");  // all of them stood
  CHECK(survivors(name) == 0);
}

void bombs_end_at_the_deadline(Rung rung) {
  ProbeBox box({.rung = rung});
  const std::string name = token("bomb");
  Command command = probe(box, {"bomb", name});
  command.time = 500ms;
  CHECK(box.box().run(command).ending == Ending::deadline);
  CHECK(survivors(name) == 0);
  CHECK(box.box().sh("echo next").out.text() == "next\n");
}

void memory_has_a_limit(Rung rung) {
  ProbeBox box({.rung = rung, .change = [](sandbox::LauncherOptions& options) {
                  options.policy.limits.memory_bytes = 64UL << 20;
                }});
  const Outcome mapped = box.box().run(probe(box, {"use_memory", "256", "1"}));
  CHECK(mapped.ending == Ending::memory_limit);
  const auto& states = box.box().launcher().guarantees();
  const auto memory =
      std::ranges::find(states, policies::Guarantee::memory, &sandbox::GuaranteeState::guarantee);
  REQUIRE(memory != states.end());
  if (memory->strength != policies::Strength::enforced) return;  // polling sees mapped memory only
  const Outcome filed = box.box().run(probe(box, {"use_memory_file", "256"}));
  INFO(filed.evidence);
  CHECK(filed.ending == Ending::memory_limit);
}

void output_has_a_limit(Rung rung) {
  ProbeBox box({.rung = rung, .change = [](sandbox::LauncherOptions& options) {
                  options.policy.limits.output_bytes = 1 << 20;
                }});
  const Outcome outcome = box.box().sh("cat /dev/zero");
  CHECK(outcome.ending == Ending::output_limit);
  CHECK(outcome.out.head.size() + outcome.out.tail.size() < 1 << 20);
}

void nested_sandboxes_are_refused(Rung rung) {
  ProbeBox box({.rung = rung});
  const Outcome outcome = box.box().sh(
      "unshare -Ur true || echo refused; bwrap --ro-bind / / true "
      "|| echo refused");
  CHECK(outcome.out.text() == "refused\nrefused\n");
}

void results_cannot_be_forged(Rung rung) {
  ProbeBox box({.rung = rung});
  const Outcome outcome = box.box().sh(
      "echo '[sandbox] stopped: memory limit' >&2; echo '{\"ending\":\"lost\"}';"
      "for fd in 3 4 5 6 7 8 9; do (echo forged >&$fd) 2>/dev/null; done;"
      "kill -KILL 1 2>/dev/null; exit 12");
  CHECK(outcome.ending == Ending::exited);
  CHECK(outcome.exit_code == 12);
  CHECK(outcome.denials.empty());
  CHECK(outcome.evidence.empty());
}

// Each guarantee that this rung holds less firmly, required: nothing opens, and it is named.
void weaker_guarantees_refuse(Rung rung) {
  ProbeBox weak({.rung = rung});
  REQUIRE(weak.box().open());
  for (const sandbox::GuaranteeState& state : weak.box().launcher().guarantees()) {
    if (state.strength == policies::Strength::enforced) continue;
    CHECK_FALSE(state.reason.empty());
    ProbeBox strict({.rung = rung, .change = [&](sandbox::LauncherOptions& options) {
                       options.policy.require[static_cast<std::size_t>(state.guarantee)] =
                           policies::Strength::enforced;
                     }});
    CHECK_FALSE(strict.box().open());
    REQUIRE(strict.box().refusal().missing.size() == 1);
    CHECK(strict.box().refusal().missing.front().guarantee == state.guarantee);
  }
}

// A server of one sandbox, looked for from another one while it runs.
void sandboxes_do_not_meet(Rung rung) {
  if (rung != Rung::full) return;
  ProbeBox first({.rung = rung});
  ProbeBox second({.rung = rung});
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd input(ends[0]);
  UniqueFd hold(ends[1]);
  first.box().sh("echo secret > /tmp/of-first; echo secret > /dev/shm/of-first");
  std::vector<std::string> answers;
  Command server = probe(first, {"victim", first.confined_places()["work"]});
  server.input = input.get();
  server.on_output = [&](sandbox::OutputStream, std::string_view line) {
    const std::string port(line.substr(0, line.find(' ')));
    const std::string name(
        line.substr(port.size() + 1, line.find(' ', port.size() + 1) - port.size() - 1));
    const std::string socket = first.confined_places()["work"] + "/socket";
    for (const std::string& attack :
         {"connect_tcp 127.0.0.1 " + port, "connect_unix " + name, "connect_unix " + socket,
          "attach_segment " + std::string(line.substr(line.find_last_of(' ') + 1)),
          std::string("read /tmp/of-first"), std::string("read /dev/shm/of-first"),
          std::string("listed 3")})
      answers.push_back(second.confined(attack));
    // The same from beside it shows that there was something to reach.
    hold.reset();
  };
  const Outcome outcome = first.box().run(server);
  CHECK(outcome.exit_code == 0);
  CHECK(answers == std::vector<std::string>{"ECONNREFUSED", "ECONNREFUSED", "ENOENT", "ENOENT",
                                            "ENOENT", "ENOENT", "few"});
  CHECK(first.confined("read /tmp/of-first") == "ok");
}

struct Scenario {
  std::string_view id;
  void (*run)(Rung);
};

constexpr auto kScenarios = std::to_array<Scenario>({
    {"A10", workspaces_are_resolved_once},
    {"B2", replaced_repositories_run_nothing},
    {"B2", replaced_files_stay_protected},
    {"B3", new_repositories_run_nothing},
    {"B5", commits_work},
    {"D5", daemons_end_with_their_command},
    {"D8", bombs_end_at_the_deadline},
    {"E7", nested_sandboxes_are_refused},
    {"H1", memory_has_a_limit},
    {"H5", output_has_a_limit},
    {"H6", daemons_end_at_the_deadline},
    {"I2", results_cannot_be_forged},
    {"I7", weaker_guarantees_refuse},
    {"I8", sandboxes_do_not_meet},
});

void run_scenarios(Rung rung) {
  ProbeRun run("scenarios on the " + std::string(sandbox::name_of(rung)) + " rung");
  for (const Scenario& scenario : kScenarios) {
    INFO(scenario.id);
    scenario.run(rung);
    run.count(scenario.id.front());
  }
  run.report("ABDEHI");
}

TEST_CASE("daemons, bombs, limits and forgeries are held on the full rung", "[sandbox]") {
  run_scenarios(Rung::full);
}

TEST_CASE("daemons, bombs, limits and forgeries are held on the container rung", "[sandbox]") {
  run_scenarios(Rung::container);
}

}  // namespace
}  // namespace fathom::test
