// Small bridges between libgit2's C lists and ours.
#pragma once

#include "tools/git/handles.hpp"

#include <memory>
#include <string>
#include <vector>

struct git_oid;       // NOLINT(readability-identifier-naming): libgit2's name
struct git_strarray;  // NOLINT(readability-identifier-naming): libgit2's name

namespace fathom::tools {

std::string hex_of(const git_oid& id);

/// Paths as libgit2 wants them, as long as this lives. None, or "" among them, is all.
class PathList {
 public:
  explicit PathList(const std::vector<std::string>& paths);
  ~PathList();
  PathList(const PathList&) = delete;
  PathList& operator=(const PathList&) = delete;

  [[nodiscard]] const git_strarray& strings() const { return *strings_; }

 private:
  std::vector<std::string> copies_;  ///< libgit2's list is not const
  std::vector<char*> pointers_;
  std::unique_ptr<git_strarray> strings_;
};

/// Whether `path` is one of `paths` or below one of them.
[[nodiscard]] bool is_among(const std::vector<std::string>& paths, std::string_view path);

}  // namespace fathom::tools
