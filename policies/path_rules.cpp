#include "policies/path_rules.hpp"

#include <algorithm>

namespace fathom::policies {
namespace {

// One name against a pattern with "*"; greedy with one point to come back to, so linear enough.
bool matches_name(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return std::ranges::all_of(pattern.substr(p), [](char c) { return c == '*'; });
}

std::string_view take_name(std::string_view& path) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view name = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return name;
}

// Whether `path` begins with the names of `pattern`; what is left of it goes to `rest`.
bool begins_with_names(std::string_view pattern, std::string_view path, std::string_view& rest) {
  while (!pattern.empty()) {
    if (path.empty() || !matches_name(take_name(pattern), take_name(path))) return false;
  }
  rest = path;
  return true;
}

}  // namespace

bool is_normal_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.size() > kPathBytesMax) return false;
  if (path.find('\0') != std::string_view::npos) return false;
  if (path == "/") return true;
  for (std::string_view rest = path.substr(1);;) {
    const std::size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    if (name.empty() || name == "." || name == "..") return false;
    if (slash == std::string_view::npos) return true;
    rest.remove_prefix(slash + 1);
  }
}

bool is_at_or_below(std::string_view path, std::string_view folder) {
  if (folder == "/" || path == folder) return true;
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

PathGrant grant_for(const Filesystem& filesystem, std::string_view path) {
  PathGrant best{"", Access::read, "filesystem.system"};
  const auto consider = [&](const PathGrant& grant) {
    if (grant.path.empty() || !is_at_or_below(path, grant.path)) return;
    const bool longer = grant.path.size() > best.path.size();
    const bool stricter = grant.path.size() == best.path.size() && grant.access < best.access;
    if (longer || stricter) best = grant;
  };
  consider({filesystem.home_root, filesystem.home, "filesystem.home"});
  consider({filesystem.workspace_root, filesystem.workspace, "filesystem.workspace"});
  for (const PathGrant& grant : filesystem.grants) consider(grant);
  return best;
}

bool matches_protected(std::string_view pattern, std::string_view relative) {
  const bool folder = pattern.ends_with('/');
  if (folder) pattern.remove_suffix(1);
  while (!relative.empty()) {
    std::string_view rest;
    if (begins_with_names(pattern, relative, rest) && (folder || rest.empty())) return true;
    take_name(relative);
  }
  return false;
}

const ProtectedName* protected_name_for(const Filesystem& filesystem, std::string_view relative) {
  const ProtectedName* found = nullptr;
  for (const ProtectedName& name : filesystem.protected_names) {
    const bool stricter = found == nullptr || name.protection < found->protection;
    if (stricter && matches_protected(name.pattern, relative)) found = &name;
  }
  return found;
}

}  // namespace fathom::policies
