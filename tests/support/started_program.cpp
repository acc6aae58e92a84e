#include "tests/support/started_program.hpp"

#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace fathom::test {
namespace {

constexpr int kPatienceMs = 60'000;  // only bounds a test that hangs

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (std::string& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

StartedProgram::StartedProgram(std::vector<std::string> argv,
                               const std::vector<std::string>& environment,
                               const std::filesystem::path& folder)
    : out_(folder / "stdout"), err_(folder / "stderr") {
  constexpr int kFresh = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.c_str(), kFresh, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_.c_str(), kFresh, 0600);
  std::vector<std::string> variables = environment;
  const int failed = ::posix_spawnp(&pid_, argv[0].c_str(), &actions, nullptr,
                                    pointers(argv).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error("cannot start " + argv[0]);
}

StartedProgram::~StartedProgram() {
  if (pid_ < 0) return;
  send(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void StartedProgram::send(int signal) const { ::kill(pid_, signal); }

ProgramResult StartedProgram::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(out_),
          slurp(err_)};
}

Gate::Gate(const std::filesystem::path& path) {
  if (::mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("mkfifo failed");
  fd_.reset(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd_) throw std::runtime_error("cannot open " + path.string());
}

std::string Gate::read() const {
  pollfd waiting{fd_.get(), POLLIN, 0};
  if (::poll(&waiting, 1, kPatienceMs) != 1) return {};
  std::array<char, 256> buffer;
  const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
  return got <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(got));
}

bool Gate::is_left() const {
  pollfd waiting{fd_.get(), 0, 0};
  return ::poll(&waiting, 1, kPatienceMs) == 1 && (waiting.revents & POLLHUP) != 0;
}

}  // namespace fathom::test
