// Looking at directories that somebody else may be rearranging at the same time: everything is
// relative to an open directory, no link is followed, nothing is opened that could block, and no
// path is longer than the kernel takes, however deep the tree.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/git_paths.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

/// What stat says, as far as a change shows in it. A command can set mtime back, but not ctime.
struct Stamp {
  FileType type = FileType::other;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t mount = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  std::uint32_t mode = 0;  ///< permission bits only
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;

  friend bool operator==(const Stamp&, const Stamp&) = default;
};

/// Of the entry itself, never of what a link points to. `path` may have several names; "" is `dir`.
/// Answers errno in the Error's code: not_found, permission, io.
Result<Stamp> stamp_of(int dir, const std::string& path);

/// One listed name. `type` is `other` with `type_known` false on file systems that do not tell.
struct Listed {
  std::string name;
  FileType type = FileType::other;
  bool type_known = false;
};

/// The entries of `dir`, without "." and "..", in no order; at most `entries_max`, and `complete`
/// tells whether that was all.
struct Listing {
  std::vector<Listed> entries;
  bool complete = true;
};
Result<Listing> list(int dir, std::size_t entries_max);

/// Opens the directory at `path` (any length, names joined by '/', "" is `root` itself) without
/// following a link in any place. Usable for listing and as the base of *at calls.
Result<UniqueFd> open_directory(int root, std::string_view path);

/// The folder of `path` and the last name in it, for calls that change something.
struct Place {
  UniqueFd folder;
  std::string name;
};
Result<Place> open_place(int root, std::string_view path);

/// The bytes of a regular file: `too_large` beyond `bytes_max`, `bad_data` for anything that is not
/// a regular file by now. Never blocks on a fifo, never follows a link.
Result<std::string> read_regular(int dir, const std::string& name, std::size_t bytes_max);

/// Where a link points; at most PATH_MAX bytes.
Result<std::string> read_link(int dir, const std::string& name);

}  // namespace fathom::sandbox
