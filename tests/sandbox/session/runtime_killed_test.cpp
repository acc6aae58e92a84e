// The runtime is killed at any moment of a command's life: nothing of the command stays.
// FATHOM_KILLS says how often, 20 by default.
#include "runtime/base/unique_fd.hpp"
#include "sandbox/control_groups.hpp"
#include "tests/sandbox/session/live_box.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace fathom::sandbox {
namespace {

struct Running {
  pid_t pid = -1;
  UniqueFd out;
};

Running start(std::vector<std::string> argv, std::vector<std::string> environment) {
  Running running;
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  running.out.reset(ends[0]);
  const UniqueFd write(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write.get(), 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::vector<char*> words;
  for (std::string& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  std::vector<char*> entries;
  for (std::string& entry : environment) entries.push_back(entry.data());
  entries.push_back(nullptr);
  const int failed =
      ::posix_spawn(&running.pid, FATHOM_PROGRAM, &actions, nullptr, words.data(), entries.data());
  posix_spawn_file_actions_destroy(&actions);
  REQUIRE(failed == 0);
  return running;
}

// What is asked for comes about within some seconds: the kernel takes its time to end a namespace.
bool comes_about(const std::function<bool()>& holds) {
  constexpr int kLooks = 1000;
  constexpr int kLookMs = 5;
  for (int look = 0; look < kLooks; ++look) {
    if (holds()) return true;
    ::poll(nullptr, 0, kLookMs);
  }
  return false;
}

std::vector<std::string> groups_of(pid_t pid) {
  const GroupParents parents = find_group_parents();
  const std::string prefix = "fathom-" + std::to_string(pid) + "-";
  std::vector<std::string> found;
  for (const std::string* parent :
       {&parents.unified, &parents.memory, &parents.pids, &parents.cpu}) {
    std::error_code ignored;
    for (std::filesystem::directory_iterator at(*parent, ignored), end; !ignored && at != end;
         at.increment(ignored))
      if (at->path().filename().string().starts_with(prefix)) found.push_back(at->path().string());
  }
  return found;
}

int kills() {
  const char* wanted = std::getenv("FATHOM_KILLS");
  return wanted != nullptr ? std::max(1, std::atoi(wanted)) : 20;
}

TEST_CASE("a runtime that is killed leaves no process, mount or control group", "[sandbox]") {
  const test::TempDir root;
  const std::string home = std::filesystem::canonical(root.path()) / "home";
  std::filesystem::create_directories(home + "/w");
  const std::string word = "fathom-killed-" + std::to_string(::getpid());
  const std::string mounts = test::slurp("/proc/self/mountinfo");
  int running = 0;
  for (int round = 0; round < kills(); ++round) {
    const Running program =
        start({"fathom", "sandbox", "run", "--repo", home + "/w", "--", "sh", "-c",
               "echo up; setsid sh -c 'sleep 1000' " + word + " & sh -c 'sleep 1000' " + word},
              {"PATH=/usr/bin:/bin", "HOME=" + home});
    // Every other one while it starts, after 0, 2, 4 … ms; the others when their command runs.
    const int wait_ms = round % 2 == 0 ? 20'000 : round;
    pollfd up{program.out.get(), POLLIN, 0};
    if (::poll(&up, 1, wait_ms) > 0) ++running;
    ::kill(program.pid, SIGKILL);
    ::waitpid(program.pid, nullptr, 0);
    INFO("round " << round);
    CHECK(comes_about([&] { return test::processes_with(word).empty(); }));
    CHECK(comes_about([&] { return groups_of(program.pid).empty(); }));
    REQUIRE(test::slurp("/proc/self/mountinfo") == mounts);
  }
  CHECK(running >= kills() / 2);
  std::size_t left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(home + "/w")) {
    (void)entry;
    ++left;
  }
  CHECK(left == 0);
}

}  // namespace
}  // namespace fathom::sandbox
