// Absence: what a snapshot says of a path that is not in it. Nothing stood there, unless the path
// was ignored then or left out. The ignore files are those of the snapshot: a run that changes them
// must not make a restore delete what they hid, nor a diff call it deleted.
#pragma once

#include "tools/git/ignore_rules.hpp"
#include "tools/git/object_store.hpp"
#include "tools/git/snapshot_record.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>

namespace fathom::tools {

/// Keeps references to all three.
class Absence {
 public:
  Absence(const SnapshotRecord& record, const TreeState& state, const ObjectStore& store);

  /// Whether the snapshot knows that nothing stood at `path`, which it does not hold.
  bool was_absent(std::string_view path);

 private:
  const IgnoreFile& ignore_file(std::string_view folder);

  const SnapshotRecord& record_;
  const TreeState& state_;
  const ObjectStore& store_;
  std::unordered_set<std::string> uncovered_;
  std::map<std::string, IgnoreFile, std::less<>> files_;
};

}  // namespace fathom::tools
