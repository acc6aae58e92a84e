#include "sandbox/audit.hpp"

#include "runtime/base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace fathom::sandbox {
namespace {

// The folder of `path`, made where it is missing: the command may have removed the hooks folder.
Result<Place> make_place(int root, const std::string& path) {
  UniqueFd folder = TRY(open_directory(root, ""));
  std::string_view rest = path;
  for (std::size_t slash = rest.find('/'); slash != std::string_view::npos;
       slash = rest.find('/')) {
    const std::string name(rest.substr(0, slash));
    constexpr mode_t kMode = 0755;
    if (::mkdirat(folder.get(), name.c_str(), kMode) != 0 && errno != EEXIST)
      return fail(system_error("make a folder", errno));
    folder = TRY(open_directory(folder.get(), name));
    rest.remove_prefix(slash + 1);
  }
  return Place{std::move(folder), std::string(rest)};
}

Result<> fill(int file, const Deviation& what) {
  TRY(write_all(file, what.text, what.path));
  // Only root can, and only root needs to.
  if (::geteuid() == 0 && ::fchown(file, what.stamp.uid, what.stamp.gid) != 0)
    return fail(system_error("set the owner", errno));
  if (::fchmod(file, what.stamp.mode) != 0) return fail(system_error("set the mode", errno));
  return {};
}

// A whole file appears under its name, or none. Nothing of ours is to be seen in the user's folder
// where the file system has unnamed files.
Result<> put_file(const Place& place, const Deviation& what) {
  const UniqueFd unnamed(
      ::openat(place.folder.get(), ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (unnamed) {
    TRY(fill(unnamed.get(), what));
    const std::string self = "/proc/self/fd/" + std::to_string(unnamed.get());
    if (::linkat(AT_FDCWD, self.c_str(), place.folder.get(), place.name.c_str(),
                 AT_SYMLINK_FOLLOW) == 0)
      return {};
    if (errno != ENOENT) return fail(system_error("put back", errno));
  }
  const std::string beside = ".fathom-restore-" + std::to_string(::getpid());
  const UniqueFd named(::openat(place.folder.get(), beside.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                S_IRUSR | S_IWUSR));
  if (!named) return fail(system_error("put back", errno));
  Result<> done = fill(named.get(), what);
  if (done && ::renameat2(place.folder.get(), beside.c_str(), place.folder.get(),
                          place.name.c_str(), RENAME_NOREPLACE) != 0)
    done = fail(system_error("put back", errno));
  if (!done) ::unlinkat(place.folder.get(), beside.c_str(), 0);
  return done;
}

Result<> put(const Place& place, const Deviation& what) {
  if (what.stamp.type != FileType::symlink) return put_file(place, what);
  if (::symlinkat(what.text.c_str(), place.folder.get(), place.name.c_str()) != 0)
    return fail(system_error("put back", errno));
  return {};
}

Result<> carry_out(int root, Quarantine& quarantine, const Deviation& deviation,
                   std::string& detail) {
  const Place place = deviation.fix == Fix::restore ? TRY(make_place(root, deviation.path))
                                                    : TRY(open_place(root, deviation.path));
  const Result<std::string> taken = quarantine.take(place.folder.get(), place.name);
  if (taken)
    detail += "; it is now " + *taken;
  else if (deviation.fix != Fix::restore || taken.error().code != ErrorCode::not_found)
    return fail(taken.error());
  if (deviation.fix != Fix::quarantine) return put(place, deviation);
  return {};
}

}  // namespace

std::string_view name_of(AuditAction action) {
  switch (action) {
    case AuditAction::reverted:
      return "reverted";
    case AuditAction::quarantined:
      return "quarantined";
    case AuditAction::reported:
      return "reported";
  }
  return "reported";
}

Finding correct(const ScanSubject& subject, Quarantine& quarantine, const Deviation& deviation) {
  const ScanRoot& root = subject.roots[deviation.root];
  Finding finding;
  finding.path = deviation.root == 0 ? deviation.path : root.path + '/' + deviation.path;
  finding.rule = deviation.rule;
  finding.detail = deviation.detail;
  if (deviation.fix == Fix::report || deviation.fix == Fix::will_run) return finding;
  finding.action =
      deviation.fix == Fix::quarantine ? AuditAction::quarantined : AuditAction::reverted;
  const Result<> done = carry_out(root.folder.get(), quarantine, deviation, finding.detail);
  if (!done) {
    finding.action = AuditAction::reported;
    finding.detail += "; it could not be undone: " + done.error().message;
  }
  return finding;
}

}  // namespace fathom::sandbox
