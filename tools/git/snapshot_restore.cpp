// The half of Snapshots that goes back, and the one that drops what is old.
#include "runtime/base/file.hpp"
#include "tools/git/absence.hpp"
#include "tools/git/snapshots.hpp"

#include <algorithm>
#include <charconv>
#include <climits>
#include <system_error>
#include <unordered_set>

namespace fathom::tools {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::size_t kConflictsNamed = 5;

// What stands at a path that a look passed over because it is ignored by now, or too large.
std::optional<Node> hidden_node(int root, const std::string& path, std::uint64_t bytes_max) {
  const auto place = sandbox::open_place(root, path);
  if (!place) return std::nullopt;
  const auto stamp = sandbox::stamp_of(place->folder.get(), place->name);
  if (!stamp) return std::nullopt;
  Node node{NodeKind::file, static_cast<std::uint16_t>(stamp->mode & 0777U), {}};
  if (stamp->type == sandbox::FileType::directory) {
    node.kind = NodeKind::folder;
    return node;
  }
  Result<std::string> bytes = fail(ErrorCode::bad_data, "not a file");
  if (stamp->type == sandbox::FileType::symlink) {
    node = {NodeKind::link, 0, {}};
    bytes = sandbox::read_link(place->folder.get(), place->name);
  } else if (stamp->type == sandbox::FileType::regular) {
    bytes = sandbox::read_regular(place->folder.get(), place->name, bytes_max);
  }
  // An unknown content has the id of none.
  if (bytes) node.id = ObjectStore::id_of(*bytes, ObjectStore::Kind::content).value_or(ObjectId{});
  return node;
}

std::string name_conflicts(const RestorePlan& plan) {
  std::string names;
  std::size_t named = 0;
  for (const Change& change : plan.changes) {
    if (!change.conflict || named == kConflictsNamed) continue;
    names += (named++ == 0 ? "" : ", ") + change.path;
  }
  if (plan.conflicts() > named)
    names += " and " + std::to_string(plan.conflicts() - named) + " more";
  return names;
}

}  // namespace

Result<RestorePlan> Snapshots::plan_for(const SnapshotRecord& record,
                                        const std::optional<SnapshotId>& left,
                                        Looked& looked) const {
  const TreeState wanted = TRY(state_of(record.root));
  TreeState left_state;
  if (left) {
    const SnapshotRecord left_record = TRY(find(*left));
    left_state = TRY(state_of(left_record.root));
  }
  for (const auto& [path, node] : wanted) {
    if (looked.found.state.contains(path)) continue;
    const auto hidden = hidden_node(looked.root.get(), path, options_.bounds.scan.file_bytes_max);
    if (hidden) looked.found.state.emplace(path, *hidden);
  }
  Absence absence(record, wanted, objects_);
  return plan_restore({wanted, looked.found.state, left ? &left_state : nullptr,
                       [&](std::string_view path) { return absence.was_absent(path); }});
}

Result<RestorePlan> Snapshots::plan(const SnapshotId& id, const std::optional<SnapshotId>& left) {
  const UniqueFd held = TRY(lock());
  const SnapshotRecord record = TRY(find(id));
  Looked looked = TRY(look());
  return plan_for(record, left, looked);
}

Result<Snapshots::Restored> Snapshots::restore(const SnapshotId& id,
                                               const std::optional<SnapshotId>& left,
                                               Conflicts conflicts) {
  const UniqueFd held = TRY(lock());
  const SnapshotRecord record = TRY(find(id));
  Looked looked = TRY(look());
  const RestorePlan plan = TRY(plan_for(record, left, looked));
  if (conflicts == Conflicts::stop && plan.conflicts() > 0)
    return fail(ErrorCode::in_use, "restore: changed since the run, so nothing was restored: " +
                                       name_conflicts(plan) + " (force it to lose these changes)");
  Restored restored;
  const Taken before = TRY(keep(looked, "before the restore of " + id.to_string()));
  restored.before = before.record.id;
  restored.report =
      apply_changes({looked.root.get(), looked.found.cache, options_.bounds.scan.file_bytes_max},
                    plan.changes, objects_);
  return restored;
}

Result<> Snapshots::sweep() {
  const UniqueFd held = TRY(lock());
  return sweep_locked();
}

// A number in a file: how much was written since the last sweep, by all processes.
Result<> Snapshots::sweep_if_due() {
  const std::filesystem::path path = folder_ / "unswept";
  constexpr std::size_t kNumberBytesMax = 32;
  std::uint64_t unswept = 0;
  if (const auto text = read_file(path, kNumberBytesMax))
    std::from_chars(text->data(), text->data() + text->size(), unswept);
  const std::uint64_t written = std::exchange(counted_, objects_.bytes_written());
  unswept += objects_.bytes_written() - written;
  const std::vector<SnapshotId> all = ids();
  const auto slack = std::chrono::duration_cast<std::chrono::milliseconds>(options_.bounds.age_max +
                                                                           std::chrono::hours(24));
  const std::int64_t oldest_ms = options_.now_ns() / kNsPerMs - slack.count();
  const bool is_old =
      !all.empty() && static_cast<std::int64_t>(all.front().value.unix_ms()) < oldest_ms;
  if (is_old || unswept > options_.bounds.sweep_every_bytes ||
      all.size() > options_.bounds.snapshots_max + options_.bounds.snapshots_slack)
    return sweep_locked();
  return write_file_atomic(path, std::to_string(unswept), Sync::no);
}

Result<> Snapshots::sweep_locked() {
  const SnapshotBounds& bounds = options_.bounds;
  std::vector<SnapshotId> kept = ids();
  const auto age_ms = std::chrono::duration_cast<std::chrono::milliseconds>(bounds.age_max);
  const std::int64_t oldest_ms = options_.now_ns() / kNsPerMs - age_ms.count();
  std::size_t drop = kept.size() - std::min(kept.size(), bounds.snapshots_max);
  while (drop < kept.size() && static_cast<std::int64_t>(kept[drop].value.unix_ms()) < oldest_ms)
    ++drop;
  for (;;) {
    if (drop == kept.size() && drop > 0) --drop;  // the newest stays whatever the bounds are
    for (std::size_t i = 0; i < drop; ++i) {
      std::error_code failed;
      std::filesystem::remove(record_path(kept[i]), failed);
      if (failed) return fail(system_error("snapshots", failed.value()));
    }
    kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(drop));
    TRY(drop_unneeded(kept));
    const std::uint64_t bytes = TRY(objects_.bytes_on_disk());
    if (bytes <= bounds.store_bytes_max || kept.size() <= 1) break;
    drop = (kept.size() + 3) / 4;
  }
  return write_file_atomic(folder_ / "unswept", "0", Sync::no);
}

Result<> Snapshots::drop_unneeded(const std::vector<SnapshotId>& kept) {
  struct Hash {
    std::size_t operator()(const ObjectId& id) const {
      std::size_t hash = 0;  // the id is one already
      std::ranges::copy_n(id.begin(), sizeof hash, reinterpret_cast<std::uint8_t*>(&hash));
      return hash;
    }
  };
  std::unordered_set<ObjectId, Hash> needed;
  std::vector<ObjectId> trees;
  const auto want = [&](const Node& node) {
    if (needed.insert(node.id).second && node.kind == NodeKind::folder) trees.push_back(node.id);
  };
  for (const SnapshotId& id : kept) {
    // A record that cannot be read needs nothing: it cannot be restored either.
    if (const auto record = find(id)) want({NodeKind::folder, 0, record->root});
  }
  while (!trees.empty()) {
    const ObjectId id = trees.back();
    trees.pop_back();
    const auto bytes = objects_.read(id, ObjectStore::Kind::tree, kTreeBytesMax);
    const auto entries = bytes ? decode_tree(*bytes) : Result<std::vector<TreeEntry>>();
    if (!entries) continue;
    for (const TreeEntry& entry : *entries) want(entry.node);
  }
  load_cache();
  if (cache_) {
    for (const auto& [path, file] : cache_->files) needed.insert(file.id);
    for (const auto& [path, tree] : cache_->folders) needed.insert(tree);
  }
  return objects_.sweep([&](const ObjectId& id) { return needed.contains(id); });
}

}  // namespace fathom::tools
