#include "policies/grant_path.hpp"

#include "policies/path_rules.hpp"

#include <algorithm>

namespace fathom::policies {
namespace {

std::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::usage, std::move(message));
}

// "//", "." and a trailing "/" go; ".." is refused, because what it means depends on links.
Result<std::string> normal(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::string_view name = text.substr(0, slash);
    text.remove_prefix(std::min(slash + 1, text.size()));
    if (name.empty() || name == ".") continue;
    if (name == "..") return refuse("has '..' (write the path that is meant)");
    out.append("/").append(name);
  }
  if (out.size() > kPathBytesMax)
    return refuse("is longer than " + std::to_string(kPathBytesMax) + " bytes");
  return out.empty() ? "/" : out;
}

}  // namespace

Result<std::string> expand_path(std::string_view text, const LoadContext& context) {
  constexpr std::string_view kWorkspace = "${workspace}";
  if (text.find('\0') != std::string_view::npos) return refuse("has a NUL byte");
  if (text.find('*') != std::string_view::npos)
    return refuse("has a '*' (a grant is one file, or a folder and all below it)");
  const auto behind = [&](std::string_view root, std::size_t prefix) -> Result<std::string> {
    if (root.empty()) return refuse("cannot be expanded: its folder is not known here");
    return normal(std::string(root) + std::string(text.substr(prefix)));
  };
  if (text == "~" || text.starts_with("~/")) return behind(context.home, 1);
  if (text.starts_with('~')) return refuse("names another user's home (write the whole path)");
  if (text == kWorkspace || text.starts_with(std::string(kWorkspace) + "/"))
    return behind(context.workspace, kWorkspace.size());
  if (text.starts_with('$') || text.find("${") != std::string_view::npos)
    return refuse("has a variable (only '~' and '${workspace}' are known, at the beginning)");
  if (text.starts_with('/')) return normal(text);
  if (context.workspace.empty()) return refuse("is relative and there is no workspace");
  return normal(context.workspace + "/" + std::string(text));
}

std::string wide_reason(const std::string& path, const LoadContext& context) {
  if (path == "/") return "is everything";
  if (!context.home.empty() && is_at_or_below(context.home, path))
    return path == context.home ? "is the home directory" : "holds the home directory";
  if (path.find('/', 1) == std::string::npos) return "is a folder of the root";
  if (!context.workspace.empty() && path != context.workspace &&
      is_at_or_below(context.workspace, path))
    return "holds the workspace";
  const bool around_own = std::ranges::any_of(
      context.own_folders, [&](const std::string& own) { return is_at_or_below(own, path); });
  return around_own ? "holds Fathom's own files" : "";
}

bool is_own(const std::string& path, const LoadContext& context) {
  return std::ranges::any_of(context.own_folders,
                             [&](const std::string& own) { return is_at_or_below(path, own); });
}

}  // namespace fathom::policies
