// HiddenPaths: what a policy hides, looked at again before each command. A session's mounts and
// rules are made once: a path that did not exist then has no cover, and a host that renames
// something over a covered path takes the cover along.
//
// What it does not protect: what appears or is replaced while a command runs; such a command can
// read it until it ends.
#pragma once

#include "sandbox/compile.hpp"
#include "sandbox/root_view.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace fathom::sandbox {

class HiddenPaths {
 public:
  HiddenPaths() = default;
  /// Looks at every path that is to be hidden. `planned` is what the session will be built from, so
  /// this comes before its first mount: what changes in between is covered once more.
  HiddenPaths(const CompileInput& input, std::vector<ViewEntry> planned);

  /// What exists now and stands open: links resolved, each once. One stat(2) a path when nothing
  /// has changed. Fails when a folder in which the session shows something was replaced: it cannot
  /// be covered without hiding that as well.
  [[nodiscard]] Result<std::vector<ViewEntry>> uncovered() const;

 private:
  /// Which file a path leads to; all zero when to none.
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t born_ns = 0;  ///< numbers of inodes are used again
    /// A mount lies on a name: a file that is renamed and linked back is the same file without a
    /// cover. Both change this; so does a chmod, which costs one more cover.
    std::int64_t changed_ns = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  struct Watched {
    std::string path;  ///< as the policy names it
    Identity then;
    bool covered = false;  ///< by the session's own mounts or rules
  };
  static Identity identity_of(const std::string& path);
  [[nodiscard]] bool is_planned(const std::string& resolved) const;
  [[nodiscard]] bool is_out_of_sight(const std::string& resolved) const;
  [[nodiscard]] bool holds_places(const std::string& resolved) const;

  Rung rung_ = Rung::full;
  std::vector<ViewEntry> planned_;
  std::vector<Watched> watched_;
};

}  // namespace fathom::sandbox
