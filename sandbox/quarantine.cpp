#include "sandbox/quarantine.hpp"

#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/directory.hpp"
#include "sandbox/remove_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <vector>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kLabelBytesMax = 80;
constexpr std::size_t kFreeNameTriesMax = 10'000;

// Keeps the tail of the name readable in a listing.
std::string label(std::string_view name) {
  std::string out;
  for (const char c : clip_prefix(name, kLabelBytesMax))
    out += static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F ? c : '_';
  return out;
}

// Copies a tree between file systems. Fifos, sockets and devices hold no data and are left out.
class TreeCopy {
 public:
  TreeCopy(int from, int to) : from_(from), to_(to) {}

  Result<> run(const std::string& name, const std::string& as) {
    TRY(entry(from_, name, to_, as));
    while (!folders_.empty()) {
      const Pair next = std::move(folders_.back());
      folders_.pop_back();
      const UniqueFd from = TRY(open_directory(from_, next.from));
      const UniqueFd to = TRY(open_directory(to_, next.to));
      const Listing listing = TRY(list(from.get(), Quarantine::kCopyEntriesMax));
      if (!listing.complete) return fail(ErrorCode::too_large, "too many entries");
      at_ = next;
      for (const Listed& listed : listing.entries)
        TRY(entry(from.get(), listed.name, to.get(), listed.name));
    }
    return {};
  }

 private:
  struct Pair {
    std::string from;
    std::string to;
  };

  Result<> entry(int from, const std::string& name, int to, const std::string& as) {
    if (++entries_ > Quarantine::kCopyEntriesMax)
      return fail(ErrorCode::too_large, "too many entries");
    const Stamp stamp = TRY(stamp_of(from, name));
    if (stamp.type == FileType::directory) {
      if (::mkdirat(to, as.c_str(), S_IRWXU) != 0) return fail(system_error("copy", errno));
      const std::string behind = at_.from.empty() ? "" : "/";
      folders_.push_back({at_.from + behind + name, at_.to + behind + as});
    } else if (stamp.type == FileType::symlink) {
      if (::symlinkat(TRY(read_link(from, name)).c_str(), to, as.c_str()) != 0)
        return fail(system_error("copy", errno));
    } else if (stamp.type == FileType::regular) {
      bytes_ += stamp.bytes;
      if (bytes_ > Quarantine::kCopyBytesMax) return fail(ErrorCode::too_large, "too many bytes");
      return file(from, name, to, as);
    }
    return {};
  }

  static Result<> file(int from, const std::string& name, int to, const std::string& as) {
    const UniqueFd in(
        ::openat(from, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!in) return fail(system_error("copy", errno));
    const UniqueFd out(
        ::openat(to, as.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out) return fail(system_error("copy", errno));
    std::vector<char> buffer(std::size_t{1} << 16);
    for (std::size_t done = 0; done <= Quarantine::kCopyBytesMax;) {
      const std::size_t got = TRY(read_at(in.get(), buffer.data(), buffer.size(), done, name));
      if (got == 0) return {};
      TRY(write_all(out.get(), {buffer.data(), got}, as));
      done += got;
    }
    return fail(ErrorCode::too_large, "too many bytes");
  }

  int from_;
  int to_;
  Pair at_;
  std::vector<Pair> folders_;
  std::size_t entries_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

Result<Quarantine> Quarantine::open(const std::string& path) {
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail(system_error("open the quarantine folder " + path, errno));
  return Quarantine(path, std::move(folder));
}

Result<std::string> Quarantine::take(int folder, const std::string& name) {
  for (std::size_t tries = 0; tries < kFreeNameTriesMax && next_ <= kThingsMax; ++tries) {
    const std::string as = std::to_string(next_++) + '-' + label(name);
    if (::renameat2(folder, name.c_str(), folder_.get(), as.c_str(), RENAME_NOREPLACE) == 0)
      return path_ + '/' + as;
    if (errno == EXDEV || errno == EACCES) return take_across(folder, name, as);
    if (errno != EEXIST) return fail(system_error("move to quarantine", errno));
  }
  return fail(ErrorCode::too_large, "the quarantine is full: look through " + path_);
}

Result<std::string> Quarantine::take_across(int folder, const std::string& name,
                                            const std::string& as) {
  // Also for a folder that may not be moved because its own bits forbid it. First the name goes, so
  // that whatever happens nothing finds it.
  const std::string aside = ".fathom-quarantine-" + as;
  if (::renameat2(folder, name.c_str(), folder, aside.c_str(), RENAME_NOREPLACE) != 0)
    return fail(system_error("move to quarantine", errno));
  if (const Result<> copied = TreeCopy(folder, folder_.get()).run(aside, as); !copied) {
    (void)remove_tree(folder_.get(), as);
    return aside;
  }
  if (const Result<> removed = remove_tree(folder, aside); !removed) return aside;
  return path_ + '/' + as;
}

}  // namespace fathom::sandbox
