#include "sandbox/notify_channel.hpp"

#include "runtime/base/ensure.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

namespace fathom::sandbox {
namespace {

// Of newer kernels than Debian 12's headers.
constexpr unsigned long kSetFlags = SECCOMP_IOW(4, std::uint64_t);  // Linux 6.6
constexpr std::uint64_t kSyncWakeUp = 1;
constexpr std::uint32_t kAddAndSend = 2;  // Linux 5.14

// The kernel writes its own struct's size, which grows with versions (80 bytes up to Linux 6.18).
constexpr std::size_t kNotificationBytesMax = 512;

std::size_t notification_bytes() {
  seccomp_notif_sizes sizes{};
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) return sizeof(seccomp_notif);
  return sizes.seccomp_notif;
}

void send(int listener, const seccomp_notif_resp& response) {
  // ENOENT: the call is gone. Nothing waits for another error.
  (void)::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

}  // namespace

NotifyChannel::NotifyChannel(int listener) : listener_(listener) {
  static const std::size_t bytes = notification_bytes();
  ENSURE(bytes <= kNotificationBytesMax, "the kernel's notification fits our buffer");
}

void NotifyChannel::wake_synchronously() const { (void)::ioctl(listener_, kSetFlags, kSyncWakeUp); }

ChannelState NotifyChannel::look(std::chrono::microseconds wait) const {
  pollfd watched{listener_, POLLIN, 0};
  const timespec time{0, std::chrono::nanoseconds(wait).count()};
  if (::ppoll(&watched, 1, &time, nullptr) < 0) return ChannelState::quiet;
  if ((watched.revents & POLLIN) != 0) return ChannelState::waiting;
  if ((watched.revents & POLLNVAL) != 0) return ChannelState::broken;
  return watched.revents != 0 ? ChannelState::ended : ChannelState::quiet;
}

std::expected<NotifiedCall, ChannelState> NotifyChannel::receive() const {
  alignas(seccomp_notif) std::array<char, kNotificationBytesMax> buffer{};
  if (::ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, buffer.data()) != 0)
    return std::unexpected(errno == ENOENT || errno == EINTR ? ChannelState::quiet
                                                             : ChannelState::broken);
  seccomp_notif notification{};
  std::memcpy(&notification, buffer.data(), sizeof notification);
  NotifiedCall call;
  call.id = notification.id;
  call.thread = static_cast<pid_t>(notification.pid);
  call.number = notification.data.nr;
  for (std::size_t i = 0; i < call.arguments.size(); ++i)
    call.arguments.at(i) = notification.data.args[i];
  return call;
}

bool NotifyChannel::still_waits(const NotifiedCall& call) const {
  return ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id) == 0;
}

void NotifyChannel::answer(const NotifiedCall& call, std::int64_t value) const {
  send(listener_, {.id = call.id, .val = value, .error = 0, .flags = 0});
}

void NotifyChannel::refuse(const NotifiedCall& call, int error) const {
  send(listener_, {.id = call.id, .val = 0, .error = -error, .flags = 0});
}

void NotifyChannel::let_continue(const NotifiedCall& call) const {
  send(listener_, {.id = call.id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE});
}

int NotifyChannel::answer_with(const NotifiedCall& call, int fd, bool close_on_exec) const {
  seccomp_notif_addfd added{};
  added.id = call.id;
  added.flags = kAddAndSend;
  added.srcfd = static_cast<std::uint32_t>(fd);
  added.newfd_flags = close_on_exec ? O_CLOEXEC : 0;
  if (::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &added) >= 0) return 0;
  if (errno != EINVAL) return errno;
  added.flags = 0;
  const int number = ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &added);
  if (number < 0) return errno;
  answer(call, number);
  return 0;
}

int NotifyChannel::replace(const NotifiedCall& call, int fd, int over, bool close_on_exec) const {
  seccomp_notif_addfd added{};
  added.id = call.id;
  added.flags = SECCOMP_ADDFD_FLAG_SETFD;
  added.srcfd = static_cast<std::uint32_t>(fd);
  added.newfd = static_cast<std::uint32_t>(over);
  added.newfd_flags = close_on_exec ? O_CLOEXEC : 0;
  return ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &added) >= 0 ? 0 : errno;
}

}  // namespace fathom::sandbox
