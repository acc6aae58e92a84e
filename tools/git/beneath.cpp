#include "tools/git/beneath.hpp"

#include "runtime/base/file.hpp"
#include "sandbox/directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>

namespace fathom::tools {
namespace {

constexpr int kNameTriesMax = 100;

// Unlike any name that is in use; two processes differ by their id, two calls by the count.
std::string temporary_name() {
  static std::atomic<unsigned> count = 0;
  return ".fathom-" + std::to_string(::getpid()) + "-" + std::to_string(++count) + ".tmp";
}

Error failed(std::string_view path, int error) { return system_error(path, error); }

// Renames the temporary file over the name, and takes it away when that fails.
Result<> put_in_place(const sandbox::Place& place, const std::string& temporary,
                      std::string_view path) {
  if (::renameat(place.folder.get(), temporary.c_str(), place.folder.get(), place.name.c_str()) ==
      0)
    return {};
  const int error = errno;
  ::unlinkat(place.folder.get(), temporary.c_str(), 0);
  return fail(failed(path, error));
}

Result<sandbox::Place> place_of(int root, std::string_view path) {
  auto place = sandbox::open_place(root, path);
  if (!place) return fail(context(path, std::move(place).error()));
  if (place->name.empty() || place->name == "." || place->name == "..")
    return fail(ErrorCode::usage, std::string(path) + ": not a name");
  return place;
}

}  // namespace

Result<> write_beneath(int root, std::string_view path, std::string_view bytes,
                       std::uint32_t permissions) {
  const sandbox::Place place = TRY(place_of(root, path));
  for (int tries = 0; tries < kNameTriesMax; ++tries) {
    const std::string temporary = temporary_name();
    const UniqueFd file(::openat(place.folder.get(), temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file && errno == EEXIST) continue;
    if (!file) return fail(failed(path, errno));
    auto written = write_all(file.get(), bytes, path);
    if (written && ::fchmod(file.get(), permissions) != 0) written = fail(failed(path, errno));
    if (written) return put_in_place(place, temporary, path);
    ::unlinkat(place.folder.get(), temporary.c_str(), 0);
    return written;
  }
  return fail(ErrorCode::in_use, std::string(path) + ": no free name for a temporary file");
}

Result<> link_beneath(int root, std::string_view path, const std::string& target) {
  const sandbox::Place place = TRY(place_of(root, path));
  for (int tries = 0; tries < kNameTriesMax; ++tries) {
    const std::string temporary = temporary_name();
    if (::symlinkat(target.c_str(), place.folder.get(), temporary.c_str()) == 0)
      return put_in_place(place, temporary, path);
    if (errno != EEXIST) return fail(failed(path, errno));
  }
  return fail(ErrorCode::in_use, std::string(path) + ": no free name for a temporary link");
}

Result<> make_folder_beneath(int root, std::string_view path, std::uint32_t permissions) {
  const sandbox::Place place = TRY(place_of(root, path));
  if (::mkdirat(place.folder.get(), place.name.c_str(), permissions) == 0) return {};
  if (errno != EEXIST) return fail(failed(path, errno));
  auto opened = sandbox::open_directory(place.folder.get(), place.name);
  if (!opened) return fail(context(path, std::move(opened).error()));
  return {};
}

Result<> make_parents_beneath(int root, std::string_view path) {
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1))
    TRY(make_folder_beneath(root, path.substr(0, slash), 0777));
  return {};
}

Result<> remove_beneath(int root, std::string_view path) {
  const sandbox::Place place = TRY(place_of(root, path));
  if (::unlinkat(place.folder.get(), place.name.c_str(), 0) == 0) return {};
  return fail(failed(path, errno));
}

Result<> remove_folder_beneath(int root, std::string_view path) {
  const sandbox::Place place = TRY(place_of(root, path));
  if (::unlinkat(place.folder.get(), place.name.c_str(), AT_REMOVEDIR) == 0) return {};
  if (errno == ENOTEMPTY || errno == EEXIST || errno == EBUSY)
    return fail(ErrorCode::in_use, std::string(path) + ": not empty");
  return fail(failed(path, errno));
}

Result<> set_permissions_beneath(int root, std::string_view path, std::uint32_t permissions) {
  const sandbox::Place place = TRY(place_of(root, path));
  // By descriptor: fchmodat follows links.
  const UniqueFd file(::openat(place.folder.get(), place.name.c_str(),
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) return fail(failed(path, errno));
  if (::fchmod(file.get(), permissions) != 0) return fail(failed(path, errno));
  return {};
}

bool is_git_name(std::string_view name) {
  constexpr std::string_view kGit = ".git";
  if (name.size() != kGit.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i] >= 'A' && name[i] <= 'Z' ? static_cast<char>(name[i] + 32) : name[i];
    if (c != kGit[i]) return false;
  }
  return true;
}

Result<std::string> plain_path(std::string_view path) {
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorCode::usage, "'" + std::string(path) + "': " + std::string(why));
  };
  if (path.starts_with('/')) return refuse("give a path relative to the repository");
  if (path.find('\0') != std::string_view::npos) return refuse("a path holds no NUL");
  if (path.size() > PATH_MAX) return refuse("too long");
  std::string plain;
  for (std::string_view rest = path; !rest.empty();) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view name = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (name.empty() || name == ".") continue;
    if (name == "..") return refuse("'..' is not taken, give the path from the repository's root");
    if (is_git_name(name)) return refuse("what is in .git is not for this");
    if (!plain.empty()) plain += '/';
    plain += name;
  }
  return plain;
}

}  // namespace fathom::tools
