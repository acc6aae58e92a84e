#include "sandbox/descriptors.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"
#include "sandbox/zygote/wire.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace fathom::sandbox {
namespace {

struct alignas(cmsghdr) Control {
  std::array<char, CMSG_SPACE(sizeof(int) * wire::kDescriptorsMax)> bytes{};
};

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail(system_error("socket pair", errno));
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<std::pair<UniqueFd, UniqueFd>> output_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe", errno));
  auto pair = std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return pair;
}

Result<UniqueFd> sealed_memory(const char* name, std::string_view bytes) {
  constexpr unsigned kExecutable = 0x10;  // MFD_EXEC, since Linux 6.3
  int fd = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | kExecutable);
  if (fd < 0 && errno == EINVAL) fd = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return fail(system_error("memory file", errno));
  UniqueFd owned(fd);
  TRY(write_all(fd, bytes, "memory file"));
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
    return fail(system_error("seal a memory file", errno));
  return owned;
}

Result<> send_with_descriptors(int socket, std::string_view bytes, std::span<const int> fds) {
  ENSURE(fds.size() <= wire::kDescriptorsMax, "callers pass a few descriptors");
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  Control control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t sent = -1;
  do sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail(system_error("send to the sandbox", errno));
  return {};
}

Result<std::optional<ReceivedMessage>> receive_with_descriptors(int socket,
                                                                std::span<char> buffer) {
  iovec part{buffer.data(), buffer.size()};
  Control control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  // A peer that ended with a message of ours unread resets the socket: what it had sent before
  // comes after that error, which is reported once.
  ssize_t size = -1;
  do size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (size < 0 && (errno == EINTR || errno == ECONNRESET));
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return std::optional<ReceivedMessage>{};
  if (size < 0) return fail(system_error("receive from the sandbox", errno));
  ReceivedMessage received{{buffer.data(), static_cast<std::size_t>(size)}, {}};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      received.fds.emplace_back(fd);
    }
  }
  return std::optional(std::move(received));
}

}  // namespace fathom::sandbox
