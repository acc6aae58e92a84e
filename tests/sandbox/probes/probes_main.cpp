// The probe program's main: finds the probe, runs it, prints its answer.
#include "tests/sandbox/probes/probe.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fathom::probes {
namespace {

constexpr int kUsageCode = 2;

int say(int answer) {
  if (answer == kPrinted) return 0;
  const char* name = answer == 0 ? "ok" : ::strerrorname_np(answer);
  std::printf("%s\n", name != nullptr ? name : "unknown errno");
  return 0;
}

const Probe* find(const char* name) {
  for (auto list : {file_probes(), process_probes(), namespace_probes(), syscall_probes(),
                    network_probes(), resource_probes()})
    for (const Probe& probe : list)
      if (std::strcmp(probe.name, name) == 0) return &probe;
  return nullptr;
}

bool write_text(const char* path, const char* text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto size = static_cast<long>(std::strlen(text));
  const bool done = ::write(fd, text, static_cast<std::size_t>(size)) == size;
  ::close(fd);
  return done;
}

// The probe's process is the second of its pid namespace, as a command's is in a sandbox.
int run_alone(const Probe& probe, const Arguments& arguments) {
  char users[64];
  char groups[64];
  std::snprintf(users, sizeof users, "0 %u 1", ::geteuid());
  std::snprintf(groups, sizeof groups, "0 %u 1", ::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                CLONE_NEWUTS) != 0 ||
      !write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", users) ||
      !write_text("/proc/self/gid_map", groups) ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return std::printf("alone: %s\n", ::strerrorname_np(errno)), kUsageCode;
  const pid_t init = ::fork();
  if (init == 0) {
    ::mount("proc", "/proc", "proc", 0, nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      const int code = say(probe.run(arguments));
      std::fflush(stdout);
      ::_exit(code);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
  int status = 0;
  ::waitpid(init, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

long Arguments::number(int index) const { return std::strtol(text(index), nullptr, 0); }

int print(const char* text) {
  std::printf("%s\n", text);
  return kPrinted;
}

int print(long number) {
  std::printf("%ld\n", number);
  return kPrinted;
}

int in_child(int (*body)(const Arguments&), const Arguments& arguments) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0) ::_exit(body(arguments));
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EPROTO;
}

}  // namespace fathom::probes

int main(int argc, char** argv) {
  using namespace fathom::probes;
  const bool alone = argc > 1 && std::strcmp(argv[1], "alone") == 0;
  const int at = alone ? 2 : 1;
  const Probe* probe = argc > at ? find(argv[at]) : nullptr;
  if (probe == nullptr) return std::printf("no such probe\n"), kUsageCode;
  const Arguments arguments(argc - at - 1, argv + at + 1);
  return alone ? run_alone(*probe, arguments) : say(probe->run(arguments));
}
