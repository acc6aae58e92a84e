#include "sandbox/git_write.hpp"

#include "policies/path_rules.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace fathom::sandbox {
namespace {

constexpr std::array<std::string_view, 5> kBesideHead = {"config", "objects", "refs", "commondir",
                                                         "hooks"};

bool has(const std::string& folder, std::string_view name) {
  struct stat info{};
  return ::lstat((folder + "/" + std::string(name)).c_str(), &info) == 0;
}

// `next` is what of `folder` the write is about.
bool is_or_becomes_git(const std::string& folder, std::string_view next) {
  if (has(folder, "HEAD") || (has(folder, "objects") && has(folder, "refs"))) return true;
  return next == "HEAD" &&
         std::ranges::any_of(kBesideHead, [&](std::string_view name) { return has(folder, name); });
}

}  // namespace

std::optional<std::string> git_directory_of_write(const std::string& root,
                                                  const std::string& path) {
  if (path == root || !policies::is_at_or_below(path, root)) return std::nullopt;
  std::string folder = root;
  for (std::string_view rest = std::string_view(path).substr(root.size() + 1); !rest.empty();) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view next = rest.substr(0, end);
    if (is_or_becomes_git(folder, next)) return folder;
    folder.append("/").append(next);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

}  // namespace fathom::sandbox
