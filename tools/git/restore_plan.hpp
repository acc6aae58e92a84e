// What a restore would do: three states in, a list of changes out. Pure.
//
// The workspace (`now`) is to get back what the run changed since the snapshot (`wanted`), and
// nothing else. Where the state that the run left is known (`left`), a path that the run did not
// change keeps what the user made of it since, and a path that both changed is a conflict. Where it
// is not known, everything that differs goes back.
#pragma once

#include "tools/git/snapshot_tree.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

enum class ChangeKind : std::uint8_t { create, rewrite, set_permissions, remove };

struct Change {
  ChangeKind kind = ChangeKind::create;
  std::string path;
  std::optional<Node> wanted;  ///< absent: remove
  std::optional<Node> now;
  bool conflict = false;  ///< the workspace has something else here than the run left

  friend bool operator==(const Change&, const Change&) = default;
};

struct PlanInput {
  const TreeState& wanted;
  const TreeState& now;
  const TreeState* left = nullptr;
  /// Whether the snapshot knows that nothing stood there: not ignored then, not left out.
  std::function<bool(std::string_view path)> was_absent;
};

struct RestorePlan {
  std::vector<Change> changes;      ///< by path
  std::vector<std::string> theirs;  ///< changed by others only: stays as it is

  [[nodiscard]] std::size_t conflicts() const;
};

RestorePlan plan_restore(const PlanInput& input);

}  // namespace fathom::tools
