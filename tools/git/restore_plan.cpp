#include "tools/git/restore_plan.hpp"

#include <algorithm>
#include <set>

namespace fathom::tools {
namespace {

std::optional<Node> node_at(const TreeState& state, std::string_view path) {
  const auto found = state.find(path);
  return found == state.end() ? std::nullopt : std::optional<Node>(found->second);
}

// A folder is the same whatever is in it: its entries are paths of their own.
bool is_same(const std::optional<Node>& a, const std::optional<Node>& b) {
  if (!a || !b) return !a && !b;
  if (a->kind != b->kind || a->permissions != b->permissions) return false;
  return a->kind == NodeKind::folder || a->id == b->id;
}

ChangeKind kind_of(const std::optional<Node>& wanted, const std::optional<Node>& now) {
  if (!wanted) return ChangeKind::remove;
  if (!now) return ChangeKind::create;
  if (wanted->kind != now->kind) return ChangeKind::rewrite;
  if (wanted->kind == NodeKind::folder || wanted->id == now->id) return ChangeKind::set_permissions;
  return ChangeKind::rewrite;
}

}  // namespace

std::size_t RestorePlan::conflicts() const {
  return static_cast<std::size_t>(std::ranges::count(changes, true, &Change::conflict));
}

RestorePlan plan_restore(const PlanInput& input) {
  std::set<std::string_view> paths;
  for (const auto& [path, node] : input.wanted) paths.insert(path);
  for (const auto& [path, node] : input.now) paths.insert(path);
  RestorePlan plan;
  for (const std::string_view path : paths) {
    Change change;
    change.wanted = node_at(input.wanted, path);
    change.now = node_at(input.now, path);
    if (is_same(change.wanted, change.now)) continue;
    if (!change.wanted && !input.was_absent(path)) continue;
    if (input.left != nullptr) {
      const std::optional<Node> left = node_at(*input.left, path);
      if (is_same(left, change.wanted)) {
        plan.theirs.emplace_back(path);
        continue;
      }
      change.conflict = !is_same(left, change.now);
    }
    change.kind = kind_of(change.wanted, change.now);
    change.path = path;
    plan.changes.push_back(std::move(change));
  }
  return plan;
}

}  // namespace fathom::tools
