#include "sandbox/tree_snapshot.hpp"

#include <algorithm>

namespace fathom::sandbox {

std::string path_of(const Snapshot& snapshot, std::uint32_t directory) {
  return path_of(snapshot, directory, "");
}

// Written from its end: one allocation, as this runs for every folder of every audit.
std::string path_of(const Snapshot& snapshot, std::uint32_t directory, std::string_view name) {
  std::size_t bytes = name.empty() ? 0 : name.size() + 1;
  for (std::uint32_t at = directory; snapshot.directories[at].parent != kNone;
       at = snapshot.directories[at].parent)
    bytes += snapshot.directories[at].name.size() + 1;
  if (bytes == 0) return {};
  std::string path(bytes - 1, '/');
  std::size_t end = path.size();
  const auto put = [&](std::string_view part) {
    path.replace(end - part.size(), part.size(), part);
    end -= std::min(part.size() + 1, end);
  };
  if (!name.empty()) put(name);
  for (std::uint32_t at = directory; snapshot.directories[at].parent != kNone;
       at = snapshot.directories[at].parent)
    put(snapshot.directories[at].name);
  return path;
}

std::string absolute_path_of(const Snapshot& snapshot, std::uint32_t directory,
                             std::string_view name) {
  const std::string relative = path_of(snapshot, directory, name);
  std::string path = snapshot.directories[snapshot.directories[directory].root].name;
  if (relative.empty()) return path;
  if (!path.ends_with('/')) path += '/';
  return path + relative;
}

std::uint32_t find_directory(const Snapshot& snapshot, std::string_view absolute_path) {
  for (std::uint32_t at = 0; at < snapshot.directories.size(); ++at) {
    const Directory& root = snapshot.directories[at];
    if (root.parent != kNone || !absolute_path.starts_with(root.name)) continue;
    std::string_view rest = absolute_path.substr(root.name.size());
    if (!rest.empty() && !rest.starts_with('/')) continue;
    std::uint32_t found = at;
    while (!rest.empty() && found != kNone) {
      rest.remove_prefix(1);
      const std::string_view name = rest.substr(0, rest.find('/'));
      rest.remove_prefix(name.size());
      found = snapshot.directories[found].first_child;
      while (found != kNone && snapshot.directories[found].name != name)
        found = snapshot.directories[found].next_sibling;
    }
    if (found != kNone) return found;
  }
  return kNone;
}

std::string resolve_path(std::string_view from, std::string_view to) {
  if (to.empty()) return {};
  std::string path(to.starts_with('/') ? std::string_view() : from);
  while (path.ends_with('/')) path.pop_back();
  bool named = to.starts_with('/');
  while (!to.empty()) {
    const std::string_view part = to.substr(0, to.find('/'));
    to.remove_prefix(std::min(part.size() + 1, to.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (named) return {};
      path.resize(path.empty() ? 0 : path.rfind('/'));
    } else {
      named = true;
      path += '/';
      path += part;
    }
  }
  return path.empty() ? "/" : path;
}

std::string git_file_target(std::string_view folder, std::string_view content) {
  constexpr std::string_view kBeginning = "gitdir: ";
  if (!content.starts_with(kBeginning)) return {};
  content.remove_prefix(kBeginning.size());
  while (content.ends_with('\n') || content.ends_with('\r')) content.remove_suffix(1);
  if (content.find('\0') != std::string_view::npos) return {};
  return resolve_path(folder, content);
}

const WatchedEntry* find_watched(const Directory& directory, std::string_view name) {
  const auto found = std::ranges::lower_bound(directory.watched, name, {}, &WatchedEntry::name);
  return found == directory.watched.end() || found->name != name ? nullptr : &*found;
}

}  // namespace fathom::sandbox
