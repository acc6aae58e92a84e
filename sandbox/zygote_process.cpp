#include "sandbox/zygote_process.hpp"

#include "sandbox/control_groups.hpp"
#include "sandbox/descriptors.hpp"
#include "sandbox/maker_name.hpp"
#include "sandbox/zygote/wire.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

// The program, as the linker of the build placed it. FATHOM_ZYGOTE is its path.
asm(R"(
  .section .rodata
  .balign 16
  .global fathom_zygote_begin
  .global fathom_zygote_end
fathom_zygote_begin:
  .incbin ")" FATHOM_ZYGOTE R"("
fathom_zygote_end:
  .byte 0
  .previous
)");

// NOLINTNEXTLINE(*-avoid-c-arrays): the shape of a linker symbol
extern "C" const char fathom_zygote_begin[], fathom_zygote_end[];

namespace fathom::sandbox {
namespace {

constexpr int kSocket = 3;        // where the zygote expects its end
constexpr int kAboveSocket = 16;  // so that no source of a dup2 is a target of another

struct FileActions {
  posix_spawn_file_actions_t actions{};
  FileActions() { ::posix_spawn_file_actions_init(&actions); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
};

Result<UniqueFd> move_up(UniqueFd fd) {
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kAboveSocket));
  if (!moved) return fail(system_error("start the sandbox's zygote", errno));
  return moved;
}

}  // namespace

Result<std::unique_ptr<ZygoteProcess>> ZygoteProcess::start() {
  const GroupParents parents = find_group_parents();
  sweep_stale_groups(parents);
  const std::string_view program(static_cast<const char*>(fathom_zygote_begin),
                                 static_cast<std::size_t>(fathom_zygote_end - fathom_zygote_begin));
  UniqueFd low = TRY(sealed_memory("fathom-zygote", program));
  UniqueFd file = TRY(move_up(std::move(low)));
  auto [ours, theirs] = TRY(socket_pair());
  UniqueFd socket = TRY(move_up(std::move(theirs)));

  FileActions files;
  for (const int fd : {0, 1, 2})
    ::posix_spawn_file_actions_addopen(&files.actions, fd, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(&files.actions, socket.get(), kSocket);
  // An empty environment: nothing of ours can be read in its memory.
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  std::vector<std::string> words = {"fathom-zygote", maker_name_prefix()};
  for (const std::string* folder : {&parents.unified, &parents.memory, &parents.pids, &parents.cpu})
    if (!folder->empty()) words.push_back(*folder);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::array<char*, 1> env{nullptr};
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, path.c_str(), &files.actions, nullptr, argv.data(), env.data());
  if (error != 0) {
    Error failure = system_error("start the sandbox's zygote from memory", error);
    failure.message += " (needs /proc, and vm.memfd_noexec below 2)";
    return fail(std::move(failure));
  }
  return std::unique_ptr<ZygoteProcess>(new ZygoteProcess(pid, std::move(ours)));
}

ZygoteProcess::~ZygoteProcess() {
  socket_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

Result<UniqueFd> ZygoteProcess::open_session(std::string_view plan) {
  if (plan.size() > wire::kPlanBytesMax)
    return fail(ErrorCode::too_large, "open a sandbox session: its plan has " +
                                          std::to_string(plan.size()) + " bytes, at most " +
                                          std::to_string(wire::kPlanBytesMax) +
                                          " are allowed: list fewer paths in the policy");
  UniqueFd memory = TRY(sealed_memory("fathom-plan", plan));
  auto [ours, theirs] = TRY(socket_pair());
  const wire::OpenSession request;
  const std::array<int, 2> fds{memory.get(), theirs.get()};
  TRY(send_with_descriptors(socket_.get(),
                            {reinterpret_cast<const char*>(&request), sizeof request}, fds));
  return std::move(ours);
}

}  // namespace fathom::sandbox
