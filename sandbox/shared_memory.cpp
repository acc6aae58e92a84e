#include "sandbox/shared_memory.hpp"

#include "sandbox/target.hpp"
#include "sandbox/without_capabilities.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace fathom::sandbox {
namespace {

constexpr std::string_view kFolder = "/dev/shm/";
constexpr std::size_t kNameBytesMax = 255;
constexpr mode_t kModeMax = 0777;
constexpr int kFlagsTaken = O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND;

struct OpenArguments {
  int flags = 0;
  mode_t mode = 0;
};

OpenArguments arguments_of(const NotifiedCall& call) {
#ifdef SYS_creat
  if (call.number == SYS_creat)
    return {O_WRONLY | O_CREAT | O_TRUNC, static_cast<mode_t>(call.word(1))};
#endif
  const std::size_t flags = call.number == SYS_openat ? 2 : 1;
  return {call.word(flags), static_cast<mode_t>(call.word(flags + 1))};
}

// A regular file, or errno. The folder can be written by its path too, so a name in it may be a
// fifo, whose open would wait, or a link.
int open_regular(int folder, const std::string& name, OpenArguments how, UniqueFd& into) {
  const int flags = (how.flags & kFlagsTaken) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  into.reset(::openat(folder, name.c_str(), flags, how.mode & kModeMax));
  if (!into) return errno;
  struct stat info{};
  if (::fstat(into.get(), &info) != 0 || !S_ISREG(info.st_mode)) return EACCES;
  (void)::fcntl(into.get(), F_SETFL, how.flags & O_APPEND);
  return 0;
}

}  // namespace

std::optional<std::string> shared_memory_name(const std::string& path) {
  if (!path.starts_with(kFolder)) return std::nullopt;
  std::string name = path.substr(kFolder.size());
  const bool plain = !name.empty() && name != "." && name != ".." &&
                     name.find('/') == std::string::npos && name.size() <= kNameBytesMax;
  if (!plain) return std::nullopt;
  return name;
}

Result<SharedMemory> SharedMemory::create(const std::string& folder) {
  UniqueFd fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail(system_error("folder for shared memory " + folder, errno));
  return SharedMemory(std::move(fd));
}

bool SharedMemory::is_name_call(int number) {
  switch (number) {
#ifdef SYS_link
    case SYS_link:
    case SYS_unlink:
#endif
    case SYS_linkat:
    case SYS_unlinkat:
      return true;
    default:
      return false;
  }
}

bool SharedMemory::open(const NotifyChannel& channel, const NotifiedCall& call,
                        const std::string& path) const {
  const auto name = shared_memory_name(path);
  if (!name) return false;
  if (!channel.still_waits(call)) return true;
  const OpenArguments how = arguments_of(call);
  UniqueFd fd;
  int error = EPERM;
  if (const WithoutCapabilities as_target; as_target.holds())
    error = open_regular(folder_.get(), *name, how, fd);
  if (error == 0) error = channel.answer_with(call, fd.get(), (how.flags & O_CLOEXEC) != 0);
  if (error != 0) channel.refuse(call, error);
  return true;
}

int SharedMemory::link(const std::optional<std::string>& from,
                       const std::optional<std::string>& to) const {
  if (!from || !to) return EXDEV;
  const int folder = folder_.get();
  return ::linkat(folder, from->c_str(), folder, to->c_str(), 0) == 0 ? 0 : errno;
}

// What goes on is judged by Landlock, whatever the name in memory has become: nothing in /dev/shm
// can be linked or removed that way.
void SharedMemory::change_name(const NotifyChannel& channel, const NotifiedCall& call) const {
  const bool at = call.number == SYS_linkat || call.number == SYS_unlinkat;
  bool links = call.number == SYS_linkat;
#ifdef SYS_link
  links = links || call.number == SYS_link;
#endif
  const Target target(call.thread);
  const auto name_at = [&](std::size_t argument) -> std::optional<std::string> {
    const auto path = target.path(call.arguments.at(argument));
    return path ? shared_memory_name(*path) : std::nullopt;
  };
  const auto first = name_at(at ? 1 : 0);
  const auto second = links ? name_at(at ? 3 : 1) : std::nullopt;
  if (!first && !second) return channel.let_continue(call);
  if (!channel.still_waits(call)) return;
  int error = EPERM;
  if (const WithoutCapabilities as_target; as_target.holds()) {
    if (links)
      error = link(first, second);
    else
      error = ::unlinkat(folder_.get(), first->c_str(), 0) == 0 ? 0 : errno;
  }
  if (error != 0) return channel.refuse(call, error);
  channel.answer(call, 0);
}

}  // namespace fathom::sandbox
