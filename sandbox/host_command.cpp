#include "sandbox/host_command.hpp"

#include "runtime/base/text.hpp"
#include "runtime/base/unique_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string_view>
#include <utility>

namespace fathom::sandbox {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<std::string_view, 4> kKeyVariables = {"FATHOM_API_KEY", "DEEPSEEK_API_KEY",
                                                           "OPENAI_API_KEY", "ANTHROPIC_API_KEY"};
constexpr std::string_view kKeyVariablesBegin = "FATHOM_MCP_AUTHORIZATION_";
constexpr std::size_t kReadBytes = 4'096;
constexpr int kPipeReads = 32;  // a pipe holds 64 KiB, of small writes half

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return fail(system_error("pipe", errno));
  Pipe out{UniqueFd(fds[0]), UniqueFd(fds[1])};
  if (::fcntl(out.read.get(), F_SETFL, O_NONBLOCK) != 0) return fail(system_error("pipe", errno));
  return out;
}

std::vector<char*> own_environment(const std::vector<std::string>& hidden) {
  std::vector<char*> out;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::string_view name = text.substr(0, text.find('='));
    const bool is_known = std::ranges::find(kKeyVariables, name) != kKeyVariables.end();
    const bool is_hidden = std::ranges::find(hidden, name) != hidden.end();
    if (is_known || is_hidden || name.starts_with(kKeyVariablesBegin)) continue;
    out.push_back(*variable);
  }
  out.push_back(nullptr);
  return out;
}

struct SpawnSettings {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};

  SpawnSettings(int out, int err) {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
    ::posix_spawnattr_init(&attributes);
    sigset_t all{};
    sigset_t none{};
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
};

// A started program. Its process group does not outlive this.
class HostProcess {
 public:
  explicit HostProcess(pid_t pid)
      : pid_(pid), descriptor_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  ~HostProcess() {
    if (!has_ended_) (void)end();
  }
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;

  /// Readable once the program has ended.
  [[nodiscard]] int descriptor() const { return descriptor_.get(); }
  /// Kills what is left of the group; how the program ended.
  int end() {
    ::kill(-pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    has_ended_ = true;
    return status;
  }

 private:
  pid_t pid_;
  UniqueFd descriptor_;
  bool has_ended_ = false;
};

// One of the program's streams, of which the first bytes are kept.
struct Stream {
  UniqueFd fd;
  std::size_t bytes_max;
  std::string text;

  [[nodiscard]] bool is_full() const { return text.size() >= bytes_max; }
  /// Reads once; false when nothing is there. Closes at the end.
  bool read_some() {
    std::array<char, kReadBytes> buffer{};
    const ssize_t got = fd ? ::read(fd.get(), buffer.data(), buffer.size()) : -1;
    if (got == 0) fd.reset();
    if (got <= 0) return false;
    text.append(buffer.data(), std::min(static_cast<std::size_t>(got), bytes_max - text.size()));
    return true;
  }
};

enum class Listened : std::uint8_t { ended, too_late, too_much };

// Until the program ends; what it leaves in the background may keep its streams open. One that
// writes without an end is not waited for.
Listened listen(int process, Stream& out, Stream& err, Clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return Listened::too_late;
    std::array<pollfd, 3> fds{{{.fd = process, .events = POLLIN, .revents = 0},
                               {.fd = out.fd.get(), .events = POLLIN, .revents = 0},
                               {.fd = err.fd.get(), .events = POLLIN, .revents = 0}}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(left)) < 0) continue;
    const bool has_ended = fds[0].revents != 0;
    // What it has said before it ended is all there: a pipe holds so many reads.
    for (int reads = has_ended ? kPipeReads : 1; reads > 0 && out.read_some(); --reads) continue;
    for (int reads = has_ended ? kPipeReads : 1; reads > 0 && err.read_some(); --reads) continue;
    if (out.is_full()) return Listened::too_much;
    if (has_ended) return Listened::ended;
  }
}

Result<pid_t> start(const std::vector<std::string>& argv, const std::string& name,
                    const SpawnSettings& settings, const std::vector<std::string>& hidden) {
  std::vector<std::string> words = argv;
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  std::vector<char*> environment = own_environment(hidden);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, pointers.front(), &settings.files, &settings.attributes,
                                   pointers.data(), environment.data());
  if (error == ENOENT)
    return fail(ErrorCode::not_found, name + ": there is no such program on the PATH");
  if (error != 0) return fail(system_error(name, error));
  return pid;
}

std::string ending_of(int status) {
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Result<std::string> host_command_output(const std::vector<std::string>& argv,
                                        const HostCommandOptions& options) {
  if (argv.empty() || argv.front().empty()) return fail(ErrorCode::usage, "no program is named");
  const std::string name = to_printable(clip_prefix(argv.front(), 100));
  const Clock::time_point deadline = Clock::now() + options.time;
  Pipe out_pipe = TRY(make_pipe());
  Pipe err_pipe = TRY(make_pipe());
  Stream out{std::move(out_pipe.read), kHostCommandBytesMax + 1, ""};
  Stream err{std::move(err_pipe.read), kHostCommandErrorBytesMax, ""};
  const pid_t pid = TRY(start(argv, name, SpawnSettings(out_pipe.write.get(), err_pipe.write.get()),
                              options.hidden_variables));
  HostProcess process(pid);
  out_pipe.write.reset();
  err_pipe.write.reset();
  if (process.descriptor() < 0) return fail(system_error(name + ": pidfd_open", errno));
  const Listened listened = listen(process.descriptor(), out, err, deadline);
  const int status = process.end();
  std::string why = to_printable(clip_prefix(err.text.substr(0, err.text.find('\n')), 200));
  if (!why.empty()) why.insert(0, ": ");
  if (listened == Listened::too_late)
    return fail(ErrorCode::timeout, name + ": not done after " +
                                        std::to_string(options.time.count()) +
                                        " ms (it gets no terminal to ask on)" + why);
  if (listened == Listened::too_much)
    return fail(ErrorCode::too_large,
                name + ": says more than " + std::to_string(kHostCommandBytesMax) + " bytes");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(ErrorCode::io, name + ": ended with " + ending_of(status) + why);
  return std::move(out.text);
}

}  // namespace fathom::sandbox
