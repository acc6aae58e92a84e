#include "sandbox/zygote/kernel.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace fathom::sandbox::zygote {
namespace {

union ControlBuffer {
  cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int) * wire::kDescriptorsMax)];
};

}  // namespace

bool send_message(int socket, const void* bytes, std::size_t size, const int* fds,
                  std::size_t count) {
  iovec part{const_cast<void*>(bytes), size};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    std::memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
  }
  long sent = -1;
  do sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == static_cast<long>(size);
}

Received receive_message(int socket, void* buffer, std::size_t size) {
  iovec part{buffer, size};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  Received received{};
  do received.size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (received.size < 0 && errno == EINTR);
  if (received.size <= 0) return received;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    received.count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::memcpy(received.fds, CMSG_DATA(header), received.count * sizeof(int));
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    close_all(received.fds, received.count);
    received.count = 0;
    received.size = -1;
    errno = EMSGSIZE;
  }
  return received;
}

void close_all(const int* fds, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) ::close(fds[i]);
}

bool write_small_file(const char* path, const char* text, std::size_t size) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const long written = ::write(fd, text, size);
  const int error = errno;
  ::close(fd);
  errno = error;
  return written == static_cast<long>(size);
}

SmallText& SmallText::add(const char* text) {
  for (; *text != '\0'; ++text) {
    if (size_ + 1 >= sizeof text_) {
      ok_ = false;
      break;
    }
    text_[size_++] = *text;
  }
  text_[size_] = '\0';
  return *this;
}

SmallText& SmallText::add(std::uint64_t number) {
  char digits[24];
  std::size_t at = sizeof digits;
  digits[--at] = '\0';
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  return add(digits + at);
}

MappedPlan map_plan(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0 || info.st_size <= 0 ||
      static_cast<std::size_t>(info.st_size) > wire::kPlanBytesMax)
    return {};
  const auto size = static_cast<std::size_t>(info.st_size);
  void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) return {};
  return {static_cast<const char*>(bytes), size};
}

}  // namespace fathom::sandbox::zygote
