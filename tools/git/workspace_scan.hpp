// Reads the state of a workspace into the store: every file, link and folder that is not ignored,
// with stat alone where the cache knows the file. `.git` at any depth is left alone, as are other
// file systems and what is neither file, link nor folder.
#pragma once

#include "tools/git/ignore_rules.hpp"
#include "tools/git/object_store.hpp"
#include "tools/git/snapshot_record.hpp"
#include "tools/git/stat_cache.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace fathom::tools {

/// What does not fit is uncovered.
struct ScanBounds {
  std::uint64_t file_bytes_max = 16UL << 20;  ///< a larger file is not kept
  std::uint64_t bytes_max = 1UL << 30;        ///< of all files together
  std::size_t entries_max = 500'000;          ///< names looked at
  std::size_t depth_max = 256;                ///< folders inside one another
};

struct ScanRequest {
  int root = -1;                     ///< the workspace, open
  std::string excludes;              ///< what `.git/info/exclude` says
  std::vector<std::string> tracked;  ///< sorted: files that git tracks are never ignored
  std::vector<std::string> apart;    ///< folders to leave out: the store itself
  const StatCache* cache = nullptr;
  std::int64_t now_ns = 0;  ///< of the clock of file times, before the look
  ScanBounds bounds;
};

struct ScanFinding {
  ObjectId root{};
  TreeState state;
  StatCache cache;  ///< for the next look
  std::uint64_t files = 0;
  std::uint64_t files_read = 0;  ///< whose content had to be read
  std::uint64_t bytes = 0;
  std::vector<Uncovered> uncovered;
  bool complete = true;
};

/// Fails when the store does, or the root cannot be listed.
Result<ScanFinding> scan_workspace(const ScanRequest& request, ObjectStore& store);

}  // namespace fathom::tools
