#include "tools/git/repository.hpp"

#include "policies/path_rules.hpp"
#include "runtime/base/text.hpp"
#include "sandbox/directory.hpp"
#include "sandbox/git_config.hpp"
#include "sandbox/git_links.hpp"
#include "sandbox/tree_snapshot.hpp"

#include <git2.h>

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace fathom::tools {
namespace {

constexpr std::size_t kAlternatesBytesMax = 64UL << 10;
constexpr std::size_t kAlternatesDepthMax = 5;  // libgit2 follows no further
constexpr std::size_t kAlternatesMax = 64;      // object folders, all depths together

std::string canonical(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path found = std::filesystem::weakly_canonical(path, failed);
  return failed ? path : found.string();
}

bool is_same_file(const std::string& a, const std::string& b) {
  const auto first = sandbox::stamp_of(AT_FDCWD, a);
  const auto second = sandbox::stamp_of(AT_FDCWD, b);
  return first && second && first->device == second->device && first->inode == second->inode;
}

class Inspection {
 public:
  Inspection(const std::string& workspace, RepositoryPlace place) : workspace_(workspace) {
    reach_.place = std::move(place);
  }

  Result<RepositoryReach> run() {
    RepositoryPlace& place = reach_.place;
    place.git_dir = canonical(place.git_dir);
    place.common_dir = canonical(place.common_dir);
    if (!policies::is_at_or_below(place.common_dir, workspace_) &&
        place.common_dir != place.git_dir && !is_worktree_of_common(place))
      return fail(ErrorCode::permission,
                  place.git_dir + "/commondir leads to " + place.common_dir + ": remove it");
    note_use(place.git_dir);
    if (place.common_dir != place.git_dir) note_use(place.common_dir);
    TRY(read_config(place.common_dir + "/config"));
    TRY(read_config(place.git_dir + "/config.worktree"));
    if (place.linked && !is_known_) {
      const auto back = sandbox::read_regular(AT_FDCWD, place.git_dir + "/gitdir", PATH_MAX);
      std::string named = back.value_or("");
      while (named.ends_with('\n')) named.pop_back();
      if (!is_same_file(sandbox::resolve_path(place.git_dir, named), place.folder + "/.git"))
        return fail(ErrorCode::permission, ".git leads to " + place.git_dir +
                                               ", which is not the git directory of this folder");
    }
    TRY(read_alternates(place.common_dir + "/objects", 0));
    return std::move(reach_);
  }

 private:
  // As `git worktree add` lays it out. Any other commondir that leads outside could be a command's
  // own: written into the workspace between the policy's answer and this call, to name a repository
  // that has never heard of this folder.
  static bool is_worktree_of_common(const RepositoryPlace& place) {
    const std::filesystem::path worktrees = std::filesystem::path(place.git_dir).parent_path();
    return place.linked && worktrees.filename() == "worktrees" &&
           worktrees.parent_path() == place.common_dir;
  }

  void note_use(const std::string& path) {
    if (policies::is_at_or_below(path, workspace_)) return;
    const RepositoryPlace& place = reach_.place;
    const auto root = sandbox::git_root_for(place.git_dir, place.folder);
    if (!root || !policies::is_at_or_below(path, *root))
      reach_.uses.push_back(path);
    else if (std::ranges::find(reach_.own, *root) == reach_.own.end())
      reach_.own.push_back(*root);
  }

  // Includes are refused whole: what they hold would have to be read to be judged, and they may
  // include again.
  Result<> read_config(const std::string& path) {
    const auto text = sandbox::read_regular(AT_FDCWD, path, sandbox::kGitConfigBytesMax);
    if (!text && text.error().code == ErrorCode::not_found) return {};
    if (!text) return fail(context(path, text.error()));
    auto settings = sandbox::parse_git_config(*text);
    if (!settings) return fail(context(path, std::move(settings).error()));
    for (const sandbox::GitSetting& setting : *settings) {
      if (setting.section == "include" || setting.section == "includeif")
        return fail(ErrorCode::unsupported,
                    "the repository's config includes other files: use git in bash");
      if (setting.section != "core" || setting.key != "worktree") continue;
      const std::string tree =
          sandbox::resolve_path(reach_.place.git_dir, setting.value.value_or(""));
      if (!is_same_file(tree, reach_.place.folder))
        return fail(ErrorCode::permission,
                    "the repository's core.worktree is " + tree + " and not this folder: unset it");
      is_known_ = true;
    }
    return {};
  }

  // Alternates have alternates. Lines end as libgit2 ends them; a path that it would take from
  // the folder of this process is refused.
  Result<> read_alternates(const std::string& objects, std::size_t depth) {
    const std::string path = objects + "/info/alternates";
    const auto text = sandbox::read_regular(AT_FDCWD, path, kAlternatesBytesMax);
    if (!text && text.error().code == ErrorCode::not_found) return {};
    if (!text) return fail(context(path, text.error()));
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
      const std::string line(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.empty() || line.starts_with('#')) continue;
      if (!line.starts_with('/') && (depth > 0 || !line.starts_with('.')))
        return fail(ErrorCode::unsupported,
                    path + ": '" + to_printable(line) + "' is relative: give the absolute path");
      std::string other = canonical(sandbox::resolve_path(objects, line));
      if (std::ranges::find(reach_.reads, other) != reach_.reads.end()) continue;
      if (depth == kAlternatesDepthMax || reach_.reads.size() == kAlternatesMax)
        return fail(ErrorCode::too_large, path + ": too many alternates: repack the repository");
      reach_.reads.push_back(other);
      TRY(read_alternates(other, depth + 1));
    }
    return {};
  }

  const std::string& workspace_;
  RepositoryReach reach_;
  bool is_known_ = false;  ///< the git directory says that it belongs to this folder
};

// A link in a git directory leads reads and writes to wherever it points, objects included: who
// knows the name of an object elsewhere would read it. Hooks and LFS files are never looked at.
Result<> check_no_links(const std::string& path, std::size_t& looked_at) {
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return fail(system_error(path, errno));
  const sandbox::Listing listing =
      TRY(sandbox::list(folder.get(), kGitDirEntriesMax - std::min(looked_at, kGitDirEntriesMax)));
  looked_at += listing.entries.size();
  if (!listing.complete) return fail(ErrorCode::too_large, path + ": too many files: pack it");
  for (const sandbox::Listed& entry : listing.entries) {
    if (entry.name == "hooks" || entry.name == "lfs") continue;
    auto type = entry.type;
    if (!entry.type_known) type = TRY(sandbox::stamp_of(folder.get(), entry.name)).type;
    const std::string below = path + "/" + entry.name;
    if (type == sandbox::FileType::symlink)
      return fail(ErrorCode::permission,
                  below + " is a link: a git directory with links in it is not used");
    if (type == sandbox::FileType::directory) TRY(check_no_links(below, looked_at));
  }
  return {};
}

Result<> check_no_links(const RepositoryReach& reach) {
  std::size_t looked_at = 0;
  TRY(check_no_links(reach.place.git_dir, looked_at));
  if (reach.place.common_dir != reach.place.git_dir)
    TRY(check_no_links(reach.place.common_dir, looked_at));
  for (const std::string& objects : reach.reads) {
    const auto stamp = sandbox::stamp_of(AT_FDCWD, objects);
    if (!stamp && stamp.error().code == ErrorCode::not_found) continue;  // git skips it too
    TRY(check_no_links(objects, looked_at));
  }
  return {};
}

// libgit2 must have found what was inspected, whatever it read on the way.
Result<> check_opened(git_repository* opened, const RepositoryPlace& place) {
  const auto is_at = [](const char* path, const std::string& expected) {
    std::string found = path != nullptr ? path : "";
    while (found.size() > 1 && found.ends_with('/')) found.pop_back();
    return !found.empty() && is_same_file(found, expected);
  };
  if (is_at(git_repository_workdir(opened), place.folder) &&
      is_at(git_repository_path(opened), place.git_dir) &&
      is_at(git_repository_commondir(opened), place.common_dir))
    return {};
  return fail(ErrorCode::permission, "the repository leads to other folders than its files say");
}

}  // namespace

Result<RepositoryReach> inspect_repository(const std::string& workspace, std::string_view folder) {
  const std::string whole = folder.empty() ? workspace : workspace + "/" + std::string(folder);
  const UniqueFd root(::open(workspace.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root) return fail(system_error(workspace, errno));
  if (auto opened = sandbox::open_directory(root.get(), folder); !opened)
    return fail(context(whole, std::move(opened).error()));
  return Inspection(workspace, TRY(find_repository(whole))).run();
}

Result<Repository> open_repository(const std::string& workspace, std::string_view folder) {
  start_libgit2();
  RepositoryReach reach = TRY(inspect_repository(workspace, folder));
  TRY(check_no_links(reach));
  Repository repository;
  repository.prefix = folder.empty() ? "" : std::string(folder) + "/";
  repository.root.reset(
      ::open(reach.place.folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!repository.root) return fail(system_error(reach.place.folder, errno));
  const int code = git_repository_open_ext(out(repository.handle), reach.place.folder.c_str(),
                                           GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
  if (code != 0) return fail(git_error("open the repository", code));
  if (git_repository_is_bare(repository.get()) != 0)
    return fail(ErrorCode::unsupported, "a bare repository has no files to work on");
  TRY(check_opened(repository.get(), reach.place));
  repository.place = std::move(reach.place);
  return repository;
}

}  // namespace fathom::tools
