#include "tools/git/restore.hpp"

#include "sandbox/directory.hpp"
#include "tools/git/beneath.hpp"

#include <climits>
#include <map>
#include <set>
#include <utility>

namespace fathom::tools {
namespace {

bool is_folder(const std::optional<Node>& node) { return node && node->kind == NodeKind::folder; }

class Restore {
 public:
  Restore(const RestoreTarget& target, const ObjectStore& store) : target_(target), store_(store) {}

  // What goes, goes first and deepest first: it may stand where a folder is wanted. Folders get
  // their permissions last: those may forbid what comes before.
  RestoreReport run(const std::vector<Change>& changes) {
    for (std::size_t i = changes.size(); i-- > 0;) clear(changes[i]);
    for (const Change& change : changes) put(change);
    for (std::size_t i = changes.size(); i-- > 0;) finish_folder(changes[i]);
    for (const Change& change : changes) {
      const auto failed = failed_.find(change.path);
      if (failed == failed_.end())
        report_.changed.push_back(change.path);
      else if (!failed->second.empty())
        report_.not_restored.push_back({change.path, failed->second});
    }
    return std::move(report_);
  }

 private:
  void note(const Change& change, const Result<>& result) {
    if (!result) failed_.emplace(change.path, result.error().message);
  }

  // Whether what stands there is still what the plan saw.
  Result<> check_unchanged(const Change& change) const {
    auto place = sandbox::open_place(target_.root, change.path);
    const bool is_gone = !place && place.error().code == ErrorCode::not_found;
    if (!place && !is_gone) return fail(context(change.path, std::move(place).error()));
    bool exists = false;
    if (place) {
      const auto stamp = sandbox::stamp_of(place->folder.get(), place->name);
      exists = stamp.has_value();
      const auto seen = target_.seen.files.find(change.path);
      const bool newer =
          exists && seen != target_.seen.files.end() && !seen->second.is_same(*stamp);
      if (newer) return fail(ErrorCode::in_use, change.path + ": changed meanwhile");
    }
    if (exists != change.now.has_value())
      return fail(ErrorCode::in_use, change.path + ": changed meanwhile");
    return {};
  }

  void clear(const Change& change) {
    const bool changes_kind =
        change.wanted && change.now && change.wanted->kind != change.now->kind;
    if (!change.now || (change.wanted && !changes_kind)) return;
    if (is_folder(change.now)) {
      auto removed = remove_folder_beneath(target_.root, change.path);
      // Somebody else's files keep it: not a failure where it only was to go.
      if (!removed && removed.error().code == ErrorCode::in_use && !change.wanted)
        failed_.emplace(change.path, "");
      else
        note(change, removed);
      return;
    }
    auto checked = check_unchanged(change);
    if (checked) checked = remove_beneath(target_.root, change.path);
    note(change, checked);
    if (checked) removed_.insert(change.path);
  }

  void put(const Change& change) {
    if (!change.wanted || failed_.contains(change.path)) return;
    note(change, put_node(change, *change.wanted));
  }

  Result<> put_node(const Change& change, const Node& wanted) {
    if (wanted.kind == NodeKind::folder) {
      if (is_folder(change.now)) return {};
      return make_folder_beneath(target_.root, change.path, 0700);
    }
    if (!is_folder(change.now) && !removed_.contains(change.path)) TRY(check_unchanged(change));
    if (change.kind == ChangeKind::set_permissions)
      return set_permissions_beneath(target_.root, change.path, wanted.permissions);
    const bool is_link = wanted.kind == NodeKind::link;
    const std::string bytes = TRY(store_.read(wanted.id, ObjectStore::Kind::content,
                                              is_link ? PATH_MAX : target_.file_bytes_max));
    if (is_link) return link_beneath(target_.root, change.path, bytes);
    return write_beneath(target_.root, change.path, bytes, wanted.permissions);
  }

  void finish_folder(const Change& change) {
    if (!is_folder(change.wanted) || failed_.contains(change.path)) return;
    note(change, set_permissions_beneath(target_.root, change.path, change.wanted->permissions));
  }

  const RestoreTarget& target_;
  const ObjectStore& store_;
  std::map<std::string, std::string> failed_;  ///< by path; "" is not worth a word
  std::set<std::string> removed_;
  RestoreReport report_;
};

}  // namespace

RestoreReport apply_changes(const RestoreTarget& target, const std::vector<Change>& changes,
                            const ObjectStore& store) {
  return Restore(target, store).run(changes);
}

}  // namespace fathom::tools
