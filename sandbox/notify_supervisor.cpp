#include "sandbox/notify_supervisor.hpp"

#include "runtime/async/task_group.hpp"
#include "sandbox/seccomp_filter.hpp"
#include "sandbox/target.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>

namespace fathom::sandbox {
namespace {

using namespace std::chrono_literals;

constexpr int kBatchMax = 16;  // calls answered before the loop's other tasks get their turn

// How long the next call of a burst is waited for in poll(2) before the loop goes on. The kernel's
// wake-up on our own processor passes through poll but not through epoll: 48 us a call become 10,
// for at most this much delay of everything else.
constexpr std::chrono::microseconds kBurstWait = 50us;

// Where the path leads in the target's own view, links followed as far as there is something; ""
// when not even its folder is there. Opens nothing and follows no link of /proc.
std::string resolved_for(const Target& target, const std::string& path) {
  const UniqueFd root(
      ::open((target.folder() + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  const auto real = [&](const std::string& at) {
    const UniqueFd fd(
        static_cast<int>(::syscall(SYS_openat2, root.get(), at.c_str(), &how, sizeof how)));
    return fd ? descriptor_path(fd.get()) : std::string();
  };
  if (std::string whole = real(path); !whole.empty()) return whole;
  const std::size_t slash = path.find_last_of('/');
  const std::string folder = real(slash == 0 ? "/" : path.substr(0, slash));
  if (folder.empty()) return "";
  return (folder == "/" ? "" : folder) + path.substr(slash);
}

// Opens for reading wait too where names in /dev/shm do.
bool may_write(const NotifiedCall& call) {
#ifdef SYS_creat
  if (call.number == SYS_creat) return true;
#endif
  const int flags = call.word(call.number == SYS_openat ? 2 : 1);
  return (flags & (O_ACCMODE | O_CREAT | O_TRUNC)) != O_RDONLY;
}

}  // namespace

NotifySupervisor::NotifySupervisor(const FileFences& fences, Brokers brokers)
    : fences_(fences), brokers_(brokers) {}

asio::awaitable<void> NotifySupervisor::watch(int, Outcome& outcome, std::function<void()> kill) {
  kill_ = std::move(kill);
  if (lost_) lose(outcome);
  co_return;
}

// Calls that nobody answers fail with ENOSYS once the listener is closed: the command would go on
// with a wrong picture of this machine, and what it says then is worth nothing.
void NotifySupervisor::lose(Outcome& outcome) {
  lost_ = true;
  outcome.end(Ending::lost, "the sandbox lost the command's seccomp listener");
  if (kill_) kill_();
}

asio::awaitable<void> NotifySupervisor::serve(UniqueFd listener, Outcome& outcome) {
  const auto executor = co_await asio::this_coro::executor;
  asio::posix::stream_descriptor watched(executor);
  boost::system::error_code error;
  if (listener) watched.assign(listener.get(), error);
  if (!listener || error) co_return lose(outcome);
  (void)listener.release();
  const NotifyChannel channel(watched.native_handle());
  channel.wake_synchronously();
  TaskGroup tasks(executor);
  tasks.spawn(take_calls(channel, watched, {outcome, tasks}));
  co_await tasks.join();
}

asio::awaitable<void> NotifySupervisor::take_calls(const NotifyChannel& channel,
                                                   asio::posix::stream_descriptor& watched,
                                                   Run run) {
  for (;;) {
    for (int i = 0; i < kBatchMax; ++i) {
      const ChannelState state = channel.look(i == 0 ? 0us : kBurstWait);
      if (state == ChannelState::ended) co_return;
      if (state == ChannelState::quiet) break;
      const auto call = channel.receive();
      if (state == ChannelState::waiting && call) {
        take(channel, *call, run);
      } else if (state == ChannelState::broken || call.error() == ChannelState::broken) {
        co_return lose(run.outcome);
      }
    }
    co_await watched.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
  }
}

void NotifySupervisor::take(const NotifyChannel& channel, const NotifiedCall& call, Run& run) {
  switch (call.number) {
#ifdef SYS_open
    case SYS_open:
    case SYS_creat:
#endif
    case SYS_openat:
      look_at_open(channel, call, run.outcome);
      return;
    default:
      if (take_brokered(channel, call, run)) return;
      run.outcome.add({"system call", syscall_name(call.number), "syscalls.build", ""});
      channel.refuse(call, EPERM);
  }
}

bool NotifySupervisor::take_brokered(const NotifyChannel& channel, const NotifiedCall& call,
                                     Run& run) {
  if (brokers_.connect != nullptr && ConnectBroker::is_brokered(call.number))
    run.tasks.spawn(brokers_.connect->answer(channel, call, run.outcome));
  else if (brokers_.metadata != nullptr && is_metadata_call(call.number))
    brokers_.metadata->answer(channel, call, run.outcome);
  else if (brokers_.shared_memory != nullptr && SharedMemory::is_name_call(call.number))
    brokers_.shared_memory->change_name(channel, call);
  else
    return false;
  return true;
}

// Names in /dev/shm apart it always goes on: the kernel judges the open by the mounts and by
// Landlock, whatever the path in the target's memory has become since. What we read serves the
// report alone, so a target that changes it deceives nobody but the reader of its own denials.
void NotifySupervisor::look_at_open(const NotifyChannel& channel, const NotifiedCall& call,
                                    Outcome& outcome) {
  const bool at = call.number == SYS_openat;
  const Target target(call.thread);
  if (const auto path = target.path(call.arguments[at ? 1 : 0]); path && !path->empty()) {
    if (brokers_.shared_memory != nullptr && brokers_.shared_memory->open(channel, call, *path))
      return;
    if (const auto absolute = target.absolute(at ? call.word(0) : AT_FDCWD, *path);
        absolute && may_write(call))
      if (auto denial = judge(target, *absolute); denial && channel.still_waits(call))
        outcome.add(*std::move(denial));
  }
  channel.let_continue(call);
}

// By the path as it is written first, which nearly always is allowed and then costs nothing more.
std::optional<Denial> NotifySupervisor::judge(const Target& target, const std::string& path) const {
  auto denial = judge_write(fences_, path);
  if (!denial) return std::nullopt;
  const std::string real = resolved_for(target, path);
  if (real.empty()) {  // its folder is hidden, or is nowhere at all: only the first is our doing
    const ViewEntry* entry = entry_for(fences_.entries, path);
    return entry != nullptr && entry->show == Show::hidden ? denial : std::nullopt;
  }
  return real == path ? denial : judge_write(fences_, real);
}

}  // namespace fathom::sandbox
