#include "sandbox/host_edits.hpp"

#include "runtime/base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kCompareBytes = std::size_t{1} << 16;

Result<std::size_t> read_full(int fd, std::vector<char>& into, std::size_t offset) {
  return read_at(fd, into.data(), into.size(), offset, "compare");
}

}  // namespace

Result<Below> look_below(int folder, const std::string& name, std::int64_t since_ns, Times times) {
  const auto is_newer = [&](const Stamp& stamp) {
    return (times == Times::modified ? stamp.modified_ns : stamp.changed_ns) > since_ns;
  };
  Below below;
  const Stamp first = TRY(stamp_of(folder, name));
  below.newer = times != Times::changed_below && is_newer(first);
  if (first.type != FileType::directory) below.shared = has_more_names(folder, name);
  if (first.type != FileType::directory || below.newer) return below;
  const UniqueFd root = TRY(open_directory(folder, name));
  std::vector<std::string> pending = {""};
  std::size_t names = 0;
  while (!pending.empty()) {
    const std::string path = std::move(pending.back());
    pending.pop_back();
    const UniqueFd at = TRY(open_directory(root.get(), path));
    const Listing listing = TRY(list(at.get(), kRemovedNamesMax - names));
    names += listing.entries.size();
    if (!listing.complete)
      return fail(ErrorCode::too_large,
                  "more than " + std::to_string(kRemovedNamesMax) + " names below it");
    for (const Listed& entry : listing.entries) {
      const Stamp stamp = TRY(stamp_of(at.get(), entry.name));
      below.newer = is_newer(stamp);
      if (below.newer) return below;
      if (stamp.type == FileType::directory)
        pending.push_back(path.empty() ? entry.name : path + '/' + entry.name);
      else
        below.shared = below.shared || has_more_names(at.get(), entry.name);
    }
  }
  return below;
}

bool has_more_names(int folder, const std::string& name) {
  struct stat status{};
  return ::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_nlink > 1;
}

Result<bool> has_same_bytes(int first, int second) {
  std::vector<char> a(kCompareBytes);
  std::vector<char> b(kCompareBytes);
  for (std::size_t offset = 0;; offset += kCompareBytes) {
    const std::size_t got_a = TRY(read_full(first, a, offset));
    const std::size_t got_b = TRY(read_full(second, b, offset));
    if (got_a != got_b || !std::equal(a.begin(), a.begin() + static_cast<long>(got_a), b.begin()))
      return false;
    if (got_a < kCompareBytes) return true;
  }
}

}  // namespace fathom::sandbox
