#include "tools/edit/replace_file.hpp"

#include "runtime/base/file.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/overlay_layer.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

namespace fathom::tools {
namespace {

constexpr std::size_t kAccessListBytesMax = 65'536;  // what Linux lets an attribute hold
constexpr const char* kAccessList = "system.posix_acl_access";

constexpr int kNamesTriedMax = 100;  // a process that died may have had our number

std::string temporary_name() {
  static std::atomic<unsigned> made = 0;
  return ".fathom-edit-" + std::to_string(::getpid()) + "-" + std::to_string(made++) + ".tmp";
}

// A name beside the file, removed again unless it became something else.
class Temporary {
 public:
  explicit Temporary(int folder) : folder_(folder) {}
  ~Temporary() {
    if (!name_.empty()) ::unlinkat(folder_, name_.c_str(), 0);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  /// A new empty file.
  UniqueFd make(mode_t mode) {
    UniqueFd file;
    for (int tried = 0; !file && tried < kNamesTriedMax; ++tried) {
      std::string name = temporary_name();
      file.reset(::openat(folder_, name.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
      if (file) name_ = std::move(name);
      if (!file && errno != EEXIST) break;
    }
    return file;
  }
  /// Takes the file `from` away from its name.
  int take(const std::string& from) {
    name_ = temporary_name();
    return ::renameat2(folder_, from.c_str(), folder_, name_.c_str(), RENAME_NOREPLACE);
  }
  [[nodiscard]] const char* name() const { return name_.c_str(); }
  void keep() { name_.clear(); }

 private:
  int folder_;
  std::string name_;
};

std::unexpected<Error> changed_meanwhile() {
  return fail(ErrorCode::in_use,
              "the file was changed by somebody else at this moment: view it "
              "and try again");
}

// Held from the last look until the swap is judged: while it is judged, a wrong file may stand
// there for an instant, which another session must not read and build on. A session that finds it
// taken does not wait, because a command could hold it for ever. Where folders cannot be locked
// (NFS) the rest must do.
class FolderLock {
 public:
  explicit FolderLock(int folder)
      : folder_(folder), taken_(::flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {}
  ~FolderLock() {
    if (!taken_) ::flock(folder_, LOCK_UN);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  [[nodiscard]] bool is_taken() const { return taken_; }

 private:
  int folder_;
  bool taken_;  ///< by somebody else
};

std::unexpected<Error> folder_in_use() {
  return fail(ErrorCode::in_use,
              "somebody else is editing in its folder at this moment: try again");
}

void copy_access_list(int from, int to) {
  std::vector<char> list(kAccessListBytesMax);
  const ssize_t bytes = ::fgetxattr(from, kAccessList, list.data(), list.size());
  // Without one (or without support for them) the mode says it all.
  if (bytes > 0)
    (void)::fsetxattr(to, kAccessList, list.data(), static_cast<std::size_t>(bytes), 0);
}

// Owner first: chown takes setuid bits away, which chmod then gives back.
Result<> take_over(int folder, const std::string& name, const sandbox::Stamp& old, int to) {
  const bool other_owner = old.uid != ::geteuid() || old.gid != ::getegid();
  // Without the right to give files away the new one is its writer's, as with any editor.
  // So it is for an owner that an overlay's user namespace does not know.
  if (other_owner && ::fchown(to, old.uid, old.gid) != 0 && errno != EPERM && errno != EOVERFLOW)
    return fail(system_error("keep the owner", errno));
  if (::fchmod(to, old.mode) != 0) return fail(system_error("keep the mode", errno));
  const UniqueFd from(
      ::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!from) return fail(system_error("open", errno));
  copy_access_list(from.get(), to);
  sandbox::copy_user_attributes(from.get(), to);
  return {};
}

// A rename moves ctime, nothing else.
bool is_same_file(sandbox::Stamp found, const sandbox::Stamp& expected) {
  found.changed_ns = expected.changed_ns;
  return found == expected;
}

bool is_without_exchange(int error) { return error == EINVAL || error == ENOSYS; }

Result<> put_new(int folder, Temporary& temporary, const std::string& name) {
  if (::renameat2(folder, temporary.name(), folder, name.c_str(), RENAME_NOREPLACE) == 0) {
    temporary.keep();
    return {};
  }
  if (errno == EEXIST) return changed_meanwhile();
  if (!is_without_exchange(errno)) return fail(system_error("rename", errno));
  // File systems without RENAME_NOREPLACE: a link does not replace either.
  if (::linkat(folder, temporary.name(), folder, name.c_str(), 0) == 0) {
    ::unlinkat(folder, temporary.name(), 0);  // now, because it moves ctime
    temporary.keep();
    return {};
  }
  if (errno == EEXIST) return changed_meanwhile();
  return fail(system_error("link", errno));
}

// Swaps both names and looks at what came out: nobody can slip in between the look and the rename.
Result<> exchange(int folder, Temporary& temporary, const std::string& name,
                  const sandbox::Stamp& expected) {
  if (TRY(sandbox::stamp_of(folder, name)) != expected) return changed_meanwhile();
  if (::renameat2(folder, temporary.name(), folder, name.c_str(), RENAME_EXCHANGE) != 0) {
    if (errno == ENOENT) return changed_meanwhile();
    if (!is_without_exchange(errno)) return fail(system_error("rename", errno));
    // No exchange on this file system: the moment since the look above is not covered.
    if (::renameat(folder, temporary.name(), folder, name.c_str()) != 0)
      return fail(system_error("rename", errno));
    temporary.keep();
    return {};
  }
  const auto out = sandbox::stamp_of(folder, temporary.name());
  if (out && is_same_file(*out, expected)) return {};
  ::renameat2(folder, temporary.name(), folder, name.c_str(), RENAME_EXCHANGE);
  return changed_meanwhile();
}

}  // namespace

Result<sandbox::Stamp> replace_file(int folder, const std::string& name,
                                    std::span<const std::string_view> pieces,
                                    const std::optional<sandbox::Stamp>& expected) {
  Temporary temporary(folder);
  // A replaced file's mode may be narrower than what a new one gets: nobody reads it before.
  const mode_t mode = expected ? 0600 : 0666;
  const UniqueFd file = temporary.make(mode);
  if (!file) return fail(system_error("write beside it", errno));
  Result<> done;
  for (const std::string_view piece : pieces)
    if (done) done = write_all(file.get(), piece, "write beside it");
  if (done && expected) done = take_over(folder, name, *expected, file.get());
  // A rename that replaces makes ext4 write the bytes before the name; an exchange does not, and a
  // power failure would leave an empty file. Begun here, the journal waits for them, we do not.
  if (done) (void)::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
  std::optional<FolderLock> lock;
  if (done && expected && lock.emplace(folder).is_taken()) done = folder_in_use();
  if (done)
    done =
        expected ? exchange(folder, temporary, name, *expected) : put_new(folder, temporary, name);
  if (!done) return fail(std::move(done).error());
  return sandbox::stamp_of(file.get(), "");
}

Result<> remove_file(int folder, const std::string& name, const sandbox::Stamp& expected) {
  const FolderLock lock(folder);
  if (lock.is_taken()) return folder_in_use();
  if (TRY(sandbox::stamp_of(folder, name)) != expected) return changed_meanwhile();
  Temporary temporary(folder);
  if (temporary.take(name) != 0) {
    const int failure = errno;
    temporary.keep();  // not ours, if it exists
    return fail(system_error("remove", failure));
  }
  const auto out = sandbox::stamp_of(folder, temporary.name());
  if (out && is_same_file(*out, expected)) return {};
  ::renameat2(folder, temporary.name(), folder, name.c_str(), RENAME_NOREPLACE);
  temporary.keep();
  return changed_meanwhile();
}

}  // namespace fathom::tools
