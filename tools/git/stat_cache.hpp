// StatCache: what the last look at a workspace found in each file, by what stat said then. A file
// whose stat is as it was holds what it held, so a warm snapshot reads no content: ctime cannot be
// set by a command. What changed within kCacheSettlingNs before the look is read again next time
// (the clock of file times moves in ticks, and a write within the same tick would not show).
#pragma once

#include "sandbox/directory.hpp"
#include "tools/git/snapshot_tree.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace fathom::tools {

inline constexpr std::int64_t kCacheSettlingNs = 20'000'000;

struct CachedFile {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  ObjectId id{};

  static CachedFile of(const sandbox::Stamp& stamp, const ObjectId& id);
  [[nodiscard]] bool is_same(const sandbox::Stamp& stamp) const;
  friend bool operator==(const CachedFile&, const CachedFile&) = default;
};

struct StatCache {
  std::int64_t looked_ns = 0;                         ///< when the look began
  std::unordered_map<std::string, CachedFile> files;  ///< by path
  std::unordered_map<std::string, ObjectId> folders;  ///< trees that are in the store

  /// What the file holds, when that is certain; null otherwise.
  [[nodiscard]] const ObjectId* content(const std::string& path, const sandbox::Stamp& stamp) const;
  /// Whether all that changed before the look will be seen.
  [[nodiscard]] bool is_settled() const;
  friend bool operator==(const StatCache&, const StatCache&) = default;
};

/// Only for this machine and build: a cache that does not decode is made anew.
std::string encode_cache(const StatCache& cache);
Result<StatCache> decode_cache(std::string_view bytes);

}  // namespace fathom::tools
