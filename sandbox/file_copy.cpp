#include "sandbox/file_copy.hpp"

#include "runtime/base/file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 17;
constexpr std::uint64_t kCallBytesMax = std::uint64_t{1} << 30;

// For pairs of file systems that the kernel does not copy between.
Result<> copy_by_hand(int from, int to, off_t begin, off_t end) {
  std::vector<char> buffer(kBufferBytes);
  if (::lseek(to, begin, SEEK_SET) < 0) return fail(system_error("copy", errno));
  while (begin < end) {
    const auto wanted = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(end - begin));
    const std::size_t got =
        TRY(read_at(from, buffer.data(), wanted, static_cast<std::size_t>(begin), "copy"));
    if (got == 0) return {};
    TRY(write_all(to, {buffer.data(), got}, "copy"));
    begin += static_cast<off_t>(got);
  }
  return {};
}

Result<> copy_range(int from, int to, off_t begin, off_t end) {
  off_t out = begin;
  while (begin < end) {
    const auto wanted =
        std::min<std::uint64_t>(kCallBytesMax, static_cast<std::uint64_t>(end - begin));
    const ssize_t copied = ::copy_file_range(from, &begin, to, &out, wanted, 0);
    if (copied == 0) return {};
    if (copied > 0 || errno == EINTR) continue;
    if (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
      return copy_by_hand(from, to, begin, end);
    return fail(system_error("copy", errno));
  }
  return {};
}

}  // namespace

Result<> copy_bytes(int from, int to, std::uint64_t bytes) {
  const auto size = static_cast<off_t>(bytes);
  for (off_t at = 0; at < size;) {
    const off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // nothing but a hole is left
    if (data < 0) return copy_range(from, to, at, size);
    const off_t hole = ::lseek(from, data, SEEK_HOLE);
    const off_t end = hole < 0 ? size : std::min(hole, size);
    TRY(copy_range(from, to, data, end));
    at = end;
  }
  if (::ftruncate(to, size) != 0) return fail(system_error("copy", errno));
  return {};
}

}  // namespace fathom::sandbox
