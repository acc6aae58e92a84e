// Layers of policy: built-in < user < project < command line.
//
// A later layer's word replaces an earlier one's: single values and short lists as a whole; grants
// by path, protected names by pattern, rules by id, variables and secrets by name. Rules of a later
// layer stand in front of the earlier ones. A project's document comes from the workspace, which
// commands can write, so it may only narrow: what would widen is ignored, and recorded so that
// `explain` can show it. A user who trusts a project's document pins its hash (policy_pins.hpp).
#pragma once

#include "policies/policy_load.hpp"
#include "policies/policy_patch.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::policies {

enum class Layer : std::uint8_t { built_in, user, project, command_line };
std::string_view name_of(Layer layer);

/// Whether a layer may widen what the layers below it state.
enum class Trust : std::uint8_t { narrow_only, full };

struct Origin {
  Layer layer = Layer::built_in;
  std::string file;  ///< empty: built into Policy{}
  Place at;

  friend bool operator==(const Origin&, const Origin&) = default;
};

/// "built-in", "built-in (default.yaml)" or "user (FILE:LINE)".
std::string to_string(const Origin& origin);

/// Something a layer stated that does not count.
struct Ignored {
  std::string key;    ///< "filesystem.write /opt"
  std::string value;  ///< what was stated
  std::string why;
  Origin origin;
};

/// A document that took part.
struct LayerUsed {
  Layer layer = Layer::built_in;
  std::string file;
  Trust trust = Trust::full;
};

struct EffectivePolicy {
  Policy policy;
  /// By the keys of policy_lines() (policy_text.hpp): where each value comes from. A key that is
  /// missing comes from Policy{}.
  std::map<std::string, Origin> origins;
  std::vector<Ignored> ignored;
  std::vector<LayerUsed> layers;
};

/// Adds patches from the lowest layer to the highest.
class PolicyMerge {
 public:
  explicit PolicyMerge(const LoadContext& context);

  void add(const PolicyPatch& patch, Layer layer, Trust trust);
  /// The merged policy in its canonical order.
  EffectivePolicy finish() &&;

 private:
  class Step;
  EffectivePolicy out_;
  std::set<std::string> narrowed_;  ///< paths of grants by layers that may only narrow
};

}  // namespace fathom::policies
