#include "tools/git/repository_place.hpp"

#include "runtime/base/file.hpp"
#include "sandbox/directory.hpp"
#include "sandbox/tree_snapshot.hpp"
#include "tools/git/handles.hpp"
#include "tools/git/ignore_rules.hpp"

#include <git2.h>

#include <fcntl.h>

#include <algorithm>
#include <filesystem>

namespace fathom::tools {
namespace {

constexpr std::size_t kPointerBytesMax = 8192;  // of files that only name a folder

std::string parent_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

bool is_there(const std::string& path) { return sandbox::stamp_of(AT_FDCWD, path).has_value(); }

Result<RepositoryPlace> no_repository(const std::string& folder) {
  if (is_there(folder + "/HEAD") && is_there(folder + "/objects") && is_there(folder + "/refs"))
    return fail(ErrorCode::unsupported, "a bare repository has no files to work on");
  for (std::string at = parent_of(folder); at.size() > 1; at = parent_of(at)) {
    if (is_there(at + "/.git"))
      return fail(ErrorCode::not_found,
                  "the folder is inside the repository " + at + ": make that the workspace");
  }
  return fail(ErrorCode::not_found, "no git repository here (git init makes one)");
}

// A file whose only line names a folder, seen from the folder `from`.
std::string folder_named_in(const std::string& file, const std::string& from) {
  auto text = sandbox::read_regular(AT_FDCWD, file, kPointerBytesMax);
  if (!text) return {};
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  return sandbox::resolve_path(from, *text);
}

}  // namespace

Result<RepositoryPlace> find_repository(const std::string& folder) {
  const std::string dot_git = folder + "/.git";
  const auto stamp = sandbox::stamp_of(AT_FDCWD, dot_git);
  if (!stamp && stamp.error().code != ErrorCode::not_found)
    return fail(context(dot_git, stamp.error()));
  if (!stamp) return no_repository(folder);
  RepositoryPlace place{folder, dot_git, dot_git, false};
  switch (stamp->type) {
    case sandbox::FileType::directory:
      break;
    case sandbox::FileType::regular: {
      const std::string text = TRY(sandbox::read_regular(AT_FDCWD, dot_git, kPointerBytesMax));
      place.git_dir = sandbox::git_file_target(folder, text);
      place.linked = true;
      break;
    }
    default:
      return fail(ErrorCode::unsupported, ".git is a link, which is not followed");
  }
  if (place.git_dir.empty())
    return fail(ErrorCode::bad_data, ".git names no folder: it must say 'gitdir: PATH'");
  place.common_dir = place.git_dir;
  if (is_there(place.git_dir + "/commondir")) {
    place.common_dir = folder_named_in(place.git_dir + "/commondir", place.git_dir);
    if (place.common_dir.empty())
      return fail(ErrorCode::bad_data, place.git_dir + "/commondir names no folder");
  }
  return place;
}

std::string read_excludes(const RepositoryPlace& place) {
  return sandbox::read_regular(AT_FDCWD, place.common_dir + "/info/exclude", kIgnoreFileBytesMax)
      .value_or("");
}

std::vector<std::string> tracked_files(const RepositoryPlace& place) {
  std::vector<std::string> files;
  const std::string path = place.git_dir + "/index";
  const auto stamp = sandbox::stamp_of(AT_FDCWD, path);
  if (!stamp || stamp->type != sandbox::FileType::regular) return files;
  start_libgit2();
  Handle<git_index> index;
  if (git_index_open(out(index), path.c_str()) != 0) return files;
  const std::size_t count = git_index_entrycount(index.get());
  files.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    files.emplace_back(git_index_get_byindex(index.get(), i)->path);
  std::ranges::sort(files);
  return files;
}

}  // namespace fathom::tools
