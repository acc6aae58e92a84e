#include "tools/git/absence.hpp"

#include <utility>

namespace fathom::tools {

Absence::Absence(const SnapshotRecord& record, const TreeState& state, const ObjectStore& store)
    : record_(record), state_(state), store_(store) {
  for (const Uncovered& one : record.uncovered) uncovered_.insert(one.path);
}

bool Absence::was_absent(std::string_view path) {
  if (!record_.complete || uncovered_.contains("")) return false;
  IgnoreRules rules(IgnoreFile::parse(record_.excludes));
  rules.enter("", ignore_file(""));
  for (std::size_t slash = path.find('/');; slash = path.find('/', slash + 1)) {
    const bool whole = slash == std::string_view::npos;
    const std::string_view at = path.substr(0, slash);
    if (uncovered_.contains(std::string(at))) return false;
    if (rules.is_ignored(at, !whole)) return false;
    if (whole) return !rules.is_ignored(at, true);  // "name/" may have been about a folder
    rules.enter(at, ignore_file(at));
  }
}

const IgnoreFile& Absence::ignore_file(std::string_view folder) {
  const auto known = files_.find(folder);
  if (known != files_.end()) return known->second;
  IgnoreFile file;
  const auto node =
      state_.find(folder.empty() ? ".gitignore" : std::string(folder) + "/.gitignore");
  if (node != state_.end() && node->second.kind == NodeKind::file) {
    const auto text = store_.read(node->second.id, ObjectStore::Kind::content, kIgnoreFileBytesMax);
    if (text) file = IgnoreFile::parse(*text);
  }
  return files_.emplace(folder, std::move(file)).first->second;
}

}  // namespace fathom::tools
