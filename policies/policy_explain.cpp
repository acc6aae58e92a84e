#include "policies/policy_explain.hpp"

#include "policies/policy_text.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>

namespace fathom::policies {
namespace {

constexpr std::size_t kColumns = 100;

// Kinds with many items of few values: the items share one heading.
bool is_grouped(std::string_view kind) {
  constexpr std::array<std::string_view, 3> kGrouped = {"filesystem.paths", "filesystem.protected",
                                                        "env.pass"};
  return std::ranges::find(kGrouped, kind) != kGrouped.end();
}

std::string wrapped(const std::vector<std::string>& items) {
  std::string out;
  std::string line;
  for (const std::string& item : items) {
    if (!line.empty() && line.size() + item.size() + 6 > kColumns) out += "   " + line + "\n";
    if (!line.empty() && line.size() + item.size() + 6 > kColumns) line.clear();
    line += " " + item;
  }
  return line.empty() ? out : out + "   " + line + "\n";
}

std::string heading(const std::string& kind, const std::string& value, const Origin& origin) {
  return kind + " = " + to_printable(value) + "   [" + to_printable(to_string(origin)) + "]\n";
}

std::string layers_text(const EffectivePolicy& effective) {
  std::string out;
  for (const LayerUsed& used : effective.layers)
    out += "layer " + std::string(name_of(used.layer)) + " " + to_printable(used.file) +
           (used.trust == Trust::narrow_only ? " (narrows only)" : "") + "\n";
  return out;
}

std::string ignored_text(const EffectivePolicy& effective) {
  std::string out;
  for (const Ignored& ignored : effective.ignored)
    out += "ignored " + to_printable(ignored.key) + " = " + to_printable(ignored.value) + ": " +
           ignored.why + "   [" + to_printable(to_string(ignored.origin)) + "]\n";
  const auto project =
      std::ranges::find(effective.ignored, Layer::project,
                        [](const Ignored& ignored) { return ignored.origin.layer; });
  if (project != effective.ignored.end())
    out += "(to trust the project's document as it is now: sha256sum " +
           to_printable(project->origin.file) + " >> ~/.config/fathom/pins)\n";
  return out;
}

}  // namespace

Origin origin_of(const EffectivePolicy& effective, const std::string& key) {
  const auto found = effective.origins.find(key);
  return found == effective.origins.end() ? Origin{} : found->second;
}

std::string explain_text(const EffectivePolicy& effective) {
  const Policy& policy = effective.policy;
  std::string out = "policy " + to_printable(policy.name) + " " + policy_hash(policy) + "\n";
  out += "workspace " + to_printable(policy.filesystem.workspace_root) + "\n";
  out += "home " + to_printable(policy.filesystem.home_root) + "\n";
  out += layers_text(effective) + ignored_text(effective) + "\n";
  const std::vector<PolicyLine> lines = policy_lines(policy);
  for (std::size_t i = 1; i < lines.size();) {  // the name has been said
    const PolicyLine& line = lines[i];
    const Origin origin = origin_of(effective, line.key());
    if (!is_grouped(line.kind)) {
      out += heading(to_printable(line.key()), line.value, origin);
      ++i;
      continue;
    }
    const auto belongs = [&](const PolicyLine& other) {
      const Origin from = origin_of(effective, other.key());
      return other.kind == line.kind && other.value == line.value && from.layer == origin.layer &&
             from.file == origin.file;
    };
    std::vector<std::string> items;
    for (; i < lines.size() && belongs(lines[i]); ++i) items.push_back(to_printable(lines[i].item));
    out += heading(line.kind, line.value, origin) + wrapped(items);
  }
  return out;
}

}  // namespace fathom::policies
