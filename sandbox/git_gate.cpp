#include "sandbox/git_gate.hpp"

#include "runtime/base/ensure.hpp"
#include "sandbox/directory.hpp"
#include "sandbox/git_config.hpp"
#include "sandbox/tree_snapshot.hpp"

namespace fathom::sandbox {
namespace {

constexpr std::size_t kLostBytesMax = 300;
constexpr std::size_t kPointerBytesMax = 8192;  // a path and "gitdir: "

std::string last_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string_view trimmed(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

Result<std::vector<GitSetting>> read_config(int folder, const std::string& name) {
  return parse_git_config(TRY(read_regular(folder, name, kGitConfigBytesMax)));
}

Gate config_gate(const GateInput& input) {
  const std::string name = last_name(input.path);
  const auto settings = read_config(input.at.upper, name);
  if (!settings) return {false, "not a config: " + settings.error().message, {}};
  if (input.at.lower >= 0) {
    const auto before = read_config(input.at.lower, name);
    if (before && is_harmless_change(*before, *settings)) return {true, {}, {}};
    return {false, "changes settings that run programs or lead elsewhere", {}};
  }
  std::vector<GitSetting> kept;
  std::string lost;
  for (const GitSetting& setting : *settings) {
    if (is_inert(setting))
      kept.push_back(setting);
    else if (lost.size() < kLostBytesMax)
      lost += (lost.empty() ? "" : ", ") + name_of(setting);
  }
  if (lost.empty()) return {true, {}, {}};
  return {true, "without " + lost, print_git_config(kept)};
}

// The git directories of the workspace hold nothing but what the same rules let through, or what
// the user has there.
bool is_git_directory_path(std::string_view path) {
  Zone zone = Zone::plain;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (zone == Zone::plain) {
      if (name == ".git") zone = Zone::repository;
      continue;
    }
    const GitEntry entry = git_entry(zone, name, FileType::directory);
    if (entry.access != GitAccess::written) return false;
    zone = entry.zone;
  }
  return zone == Zone::repository || zone == Zone::worktree_admin || zone == Zone::modules;
}

Gate git_file_gate(const GateInput& input) {
  const auto content = read_regular(input.at.upper, last_name(input.path), kPointerBytesMax);
  if (!content) return {false, "not a `.git` file: " + content.error().message, {}};
  const std::size_t slash = input.path.rfind('/');
  const std::string folder = slash == std::string::npos
                                 ? input.workspace
                                 : input.workspace + '/' + input.path.substr(0, slash);
  const std::string target = git_file_target(folder, *content);
  const std::string root = input.workspace + '/';
  const Gate closed{false, "leads to a git directory that is not the workspace's", {}};
  if (!target.starts_with(root)) return closed;
  const std::string inside = target.substr(root.size());
  if (!is_git_directory_path(inside)) return closed;
  const bool there =
      open_directory(input.roots.upper, inside) || open_directory(input.roots.lower, inside);
  return there ? Gate{true, {}, {}} : closed;
}

Gate common_dir_gate(const GateInput& input) {
  const auto content = read_regular(input.at.upper, last_name(input.path), kPointerBytesMax);
  if (content && trimmed(*content) == "../..") return {true, {}, {}};
  return {false, "leads out of its repository", {}};
}

}  // namespace

Gate pass_gate(Check check, const GateInput& input) {
  switch (check) {
    case Check::config:
      return config_gate(input);
    case Check::git_file:
      return git_file_gate(input);
    case Check::common_dir:
      return common_dir_gate(input);
    case Check::nothing:
      break;
  }
  ENSURE(check != Check::nothing, "asked only for what must be read");
  return {};
}

}  // namespace fathom::sandbox
