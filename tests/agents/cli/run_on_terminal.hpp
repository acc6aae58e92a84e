// RunOnTerminal: the program on a terminal of its own, which the test reads and types into.
#pragma once

#include "runtime/base/unique_fd.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

class RunOnTerminal {
 public:
  RunOnTerminal(std::vector<std::string> argv, std::vector<std::string> environment,
                unsigned short columns = 100) {
    std::array<char, 128> name{};
    winsize size{};
    size.ws_row = 24;
    size.ws_col = columns;
    int master = -1;
    int slave = -1;
    REQUIRE(::openpty(&master, &slave, name.data(), nullptr, &size) == 0);
    master_.reset(master);
    slave_.reset(slave);
    ::fcntl(master, F_SETFD, FD_CLOEXEC);
    ::fcntl(slave, F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, name.data(), O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    const int failed = ::posix_spawn(&pid_, argv[0].c_str(), &actions, &attributes,
                                     pointers(argv).data(), pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    REQUIRE(failed == 0);
  }
  ~RunOnTerminal() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  RunOnTerminal(const RunOnTerminal&) = delete;
  RunOnTerminal& operator=(const RunOnTerminal&) = delete;

  void type(std::string_view keys) const {
    REQUIRE(::write(master_.get(), keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }
  /// Reads until `text` was shown; false when nothing more comes for a while.
  bool shows(std::string_view text) {
    while (screen_.find(text) == std::string::npos)
      if (!read()) return false;
    return true;
  }
  /// Reads until the program ends; how it ended.
  int wait() {
    slave_.reset();  // else the terminal never hangs up
    while (read()) {
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] const std::string& screen() const { return screen_; }

 private:
  static constexpr int kPatienceMs = 30'000;  // only bounds a test that hangs

  static std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> all;
    all.reserve(strings.size() + 1);
    for (std::string& text : strings) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  }
  bool read() {
    pollfd watched{master_.get(), POLLIN, 0};
    if (::poll(&watched, 1, kPatienceMs) <= 0) return false;
    std::array<char, 65536> buffer{};
    const ssize_t size = ::read(master_.get(), buffer.data(), buffer.size());
    if (size <= 0) return false;
    screen_.append(buffer.data(), static_cast<std::size_t>(size));
    return true;
  }

  UniqueFd master_;
  UniqueFd slave_;
  pid_t pid_ = -1;
  std::string screen_;
};

}  // namespace fathom::test
