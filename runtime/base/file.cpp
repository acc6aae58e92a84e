#include "runtime/base/file.hpp"

#include "runtime/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

namespace fathom {

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error("read " + path.string(), errno));
  std::string out;
  // From the front to the end, so that a pipe can be read as well: --schema <(make-schema).
  for (;;) {
    constexpr std::size_t kChunk = 64 * 1024;
    const std::size_t have = out.size();
    // One byte past the bound tells a file that fits from one that does not.
    out.resize(have + std::min(kChunk, bytes_max + 1 - have));
    const ssize_t got = ::read(fd.get(), out.data() + have, out.size() - have);
    const int error = errno;
    out.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && error == EINTR) continue;
    if (got < 0) return fail(system_error("read " + path.string(), error));
    if (out.size() > bytes_max)
      return fail(ErrorCode::too_large, "read " + path.string() + ": larger than " +
                                            std::to_string(bytes_max) + " bytes");
    if (got == 0) return out;
  }
}

Result<> write_all(int fd, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail(system_error("write " + std::string(what), errno));
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<std::size_t> read_at(int fd, char* into, std::size_t size, std::size_t offset,
                            std::string_view what) {
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = ::pread(fd, into + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("read " + std::string(what), errno));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  return have;
}

Result<> write_file_atomic(const std::filesystem::path& path, std::string_view bytes, Sync sync) {
  // The process id and a counter make the temporary name ours alone; a crash leaves a file that no
  // reader opens.
  static std::atomic<unsigned> counter = 0;
  const std::string temporary =
      path.string() + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail(system_error("write " + temporary, errno));
  Result<> done = write_all(fd.get(), bytes, temporary);
  if (done && sync == Sync::yes && ::fdatasync(fd.get()) != 0)
    done = fail(system_error("sync " + temporary, errno));
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0)
    done = fail(system_error("rename to " + path.string(), errno));
  if (!done) {
    ::unlink(temporary.c_str());
    return done;
  }
  return sync == Sync::yes ? sync_dir(path.parent_path()) : Result<>{};
}

Result<> sync_dir(const std::filesystem::path& dir) {
  const std::string name = dir.empty() ? "." : dir.string();
  UniqueFd fd(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail(system_error("sync folder " + name, errno));
  return {};
}

Result<> create_private_dirs(const std::filesystem::path& dir) {
  std::filesystem::path at;
  for (const std::filesystem::path& part : dir) {
    at /= part;
    if (::mkdir(at.c_str(), 0700) != 0 && errno != EEXIST) {
      const int why = errno;
      std::error_code ignored;
      // An existing folder on a read-only or foreign path answers EROFS or EACCES instead of
      // EEXIST.
      if (!std::filesystem::is_directory(at, ignored))
        return fail(system_error("create folder " + at.string(), why));
    }
  }
  std::error_code ec;
  if (!std::filesystem::is_directory(dir, ec))
    return fail(ErrorCode::in_use, "create folder " + dir.string() + ": a file has this name");
  return {};
}

}  // namespace fathom
