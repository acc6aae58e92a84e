#include "sandbox/host_edits.hpp"

#include "runtime/base/file.hpp"

#include <algorithm>
#include <vector>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kCompareBytes = std::size_t{1} << 16;

Result<std::size_t> read_full(int fd, std::vector<char>& into, std::size_t offset) {
  return read_at(fd, into.data(), into.size(), offset, "compare");
}

}  // namespace

Result<bool> is_newer_below(int folder, const std::string& name, std::int64_t since_ns, Top top) {
  const Stamp first = TRY(stamp_of(folder, name));
  if (top == Top::counts && first.changed_ns > since_ns) return true;
  if (first.type != FileType::directory) return false;
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
      if (stamp.changed_ns > since_ns) return true;
      if (stamp.type == FileType::directory)
        pending.push_back(path.empty() ? entry.name : path + '/' + entry.name);
    }
  }
  return false;
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
