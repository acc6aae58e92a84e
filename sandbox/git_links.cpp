#include "sandbox/git_links.hpp"

#include "runtime/base/file.hpp"
#include "sandbox/git_config.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kPointerBytesMax = 8192;

std::string canonical(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path real = std::filesystem::canonical(path, failed);
  return failed ? std::string() : real.string();
}

std::string parent_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

std::string read_pointer(const std::string& path) {
  const Result<std::string> text = read_file(path, kPointerBytesMax);
  if (!text) return {};
  std::string_view line = *text;
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  return std::string(line);
}

bool points_back(const std::string& git_folder, const std::string& folder) {
  const Result<std::string> text = read_file(git_folder + "/config", kGitConfigBytesMax);
  if (!text) return false;
  const auto settings = parse_git_config(*text);
  return settings && std::ranges::any_of(*settings, [&](const GitSetting& setting) {
           return name_of(setting) == "core.worktree" && setting.value &&
                  resolve_path(git_folder, *setting.value) == folder;
         });
}

void add_path(std::unordered_map<std::string, std::string>& paths, const std::string& path,
              const std::string& rule) {
  if (!path.empty()) paths.emplace(path, rule);
}

// The work trees of a git directory: around it, or where a .git file points into it.
std::vector<std::string> work_trees_of(const Snapshot& snapshot, std::uint32_t git) {
  const std::string git_folder = absolute_path_of(snapshot, git, "");
  std::vector<std::string> trees;
  if (snapshot.directories[git].zone == Zone::bare) trees.push_back(git_folder);
  if (git_folder.ends_with("/.git")) trees.push_back(parent_of(git_folder));
  for (std::uint32_t at = 0; at < snapshot.directories.size(); ++at) {
    const WatchedEntry* file = find_watched(snapshot.directories[at], ".git");
    if (file == nullptr || !file->content) continue;
    const std::string folder = absolute_path_of(snapshot, at, "");
    const std::string target = git_file_target(folder, *file->content);
    if (target == git_folder || target.starts_with(git_folder + "/worktrees/"))
      trees.push_back(folder);
  }
  return trees;
}

}  // namespace

std::optional<std::string> git_root_for(const std::string& target, const std::string& folder) {
  const std::string git_folder = canonical(target);
  if (git_folder.empty()) return {};
  const std::string worktrees = parent_of(git_folder);
  if (std::filesystem::path(worktrees).filename() == "worktrees") {
    const bool back = read_pointer(git_folder + "/gitdir") == folder + "/.git";
    const bool usual = read_pointer(git_folder + "/commondir") == "../..";
    if (back && usual) return parent_of(worktrees);
    return {};
  }
  if (points_back(git_folder, folder)) return git_folder;
  return {};
}

GitLinks find_git_links(const Snapshot& snapshot) {
  GitLinks links;
  for (std::uint32_t at = 0; at < snapshot.directories.size(); ++at) {
    if (snapshot.directories[at].root != 0) continue;
    const WatchedEntry* file = find_watched(snapshot.directories[at], ".git");
    if (file == nullptr || !file->content) continue;
    const std::string folder = absolute_path_of(snapshot, at, "");
    if (file->watch == Watch::git_other) {
      links.notes.push_back(folder + "/.git is a link, which is not followed");
      continue;
    }
    const std::string target = git_file_target(folder, *file->content);
    if (target.empty()) continue;
    const std::uint32_t found = find_directory(snapshot, target);
    if (found != kNone && snapshot.directories[found].root == 0) continue;
    const std::optional<std::string> root = git_root_for(target, folder);
    if (!root)
      links.notes.push_back(folder + "/.git points to " + target +
                            ", which does not point back: git cannot write there");
    else if (std::ranges::find(links.outside, *root) == links.outside.end())
      links.outside.push_back(*root);
  }
  return links;
}

std::unordered_map<std::string, std::string> find_configured_paths(
    const Snapshot& snapshot, std::vector<std::string>& notes) {
  std::unordered_map<std::string, std::string> paths;
  for (std::uint32_t at = 0; at < snapshot.directories.size(); ++at) {
    if (!is_git_directory(snapshot.directories[at].zone)) continue;
    for (const WatchedEntry& entry : snapshot.directories[at].watched) {
      if (entry.watch != Watch::config || !entry.content) continue;
      const auto settings = parse_git_config(*entry.content);
      if (!settings) {
        notes.push_back(absolute_path_of(snapshot, at, entry.name) + ": " +
                        settings.error().message + ": the files it names are not protected");
        continue;
      }
      for (const GitSetting& setting : *settings) {
        if (!setting.value) continue;
        const bool include = (setting.section == "include" || setting.section == "includeif") &&
                             setting.key == "path";
        const std::string name = name_of(setting);
        if (include)
          add_path(paths, resolve_path(absolute_path_of(snapshot, at, ""), *setting.value),
                   "git.include");
        if (name == "core.hookspath" || name == "core.attributesfile")
          for (const std::string& tree : work_trees_of(snapshot, at))
            add_path(paths, resolve_path(tree, *setting.value), "git." + name);
      }
    }
  }
  // A whole work tree cannot be protected from the command that is to work in it.
  std::erase_if(paths, [&](const auto& path) {
    const std::uint32_t found = find_directory(snapshot, path.first);
    if (found == kNone) return false;
    const bool tree = found == 0 || find_watched(snapshot.directories[found], ".git") != nullptr;
    if (tree) notes.push_back(path.second + " names the work tree " + path.first);
    return tree;
  });
  return paths;
}

}  // namespace fathom::sandbox
