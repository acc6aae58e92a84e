#include "sandbox/workspace_guard.hpp"

#include "runtime/base/file.hpp"
#include "sandbox/root_view.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

namespace fathom::sandbox {
namespace {

std::string line_of(const Finding& finding) {
  return finding.path + ": " + std::string(name_of(finding.action)) +
         (finding.detail.empty() ? "" : ": " + finding.detail) + " (rule " + finding.rule + ")";
}

}  // namespace

WorkspaceGuard::WorkspaceGuard(ProtectedTree tree)
    : tree_(std::move(tree)),
      session_pins_(tree_.pins()),
      session_files_(identities_of(session_pins_)),
      pinned_(session_pins_.read_only) {}

WorkspaceGuard::Identity WorkspaceGuard::identity_of(const std::string& path) {
  struct statx info{};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME,
              &info) != 0)
    return {};
  const auto ns = [](const statx_timestamp& time) {
    return time.tv_sec * 1'000'000'000 + static_cast<std::int64_t>(time.tv_nsec);
  };
  return {.device = std::uint64_t{info.stx_dev_major} << 32 | info.stx_dev_minor,
          .inode = info.stx_ino,
          .born_ns = ns(info.stx_btime),
          .changed_ns = ns(info.stx_ctime)};
}

WorkspaceGuard::Identities WorkspaceGuard::identities_of(const Pins& pins) {
  Identities files;
  for (const auto* paths : {&pins.self_binds, &pins.read_only})
    for (const std::string& path : *paths) files[path] = identity_of(path);
  return files;
}

// A host that deletes a file or renames another one over it (git does, with every change to its
// config) takes the session's mount along. A changed inode may mean that; pinned twice does no
// harm.
std::vector<std::string> WorkspaceGuard::not_pinned(const std::vector<std::string>& paths) const {
  std::vector<std::string> rest;
  for (const std::string& path : paths) {
    const auto at = session_files_.find(path);
    if (at == session_files_.end() || at->second != identity_of(path)) rest.push_back(path);
  }
  return rest;
}

Result<WorkspaceGuard> WorkspaceGuard::create(const policies::Policy& policy,
                                              const Workspace& workspace,
                                              const std::filesystem::path& quarantine) {
  TRY(create_private_dirs(quarantine));
  TreeOptions options;
  options.workspace = workspace.root;
  options.names = policy.filesystem.protected_names;
  options.quarantine = quarantine.string();
  return WorkspaceGuard(TRY(ProtectedTree::create(std::move(options))));
}

Result<MountRecipe> WorkspaceGuard::before() {
  // What an audit could not finish must not be taken for good: the next one compares with the old.
  if (running_ == 0 && !audit_owed_) TRY(tree_.refresh());
  ++running_;
  MountRecipe extra;
  if (fence_ == Fence::audit_only) return extra;
  const Pins now = tree_.pins();
  Pins added;
  added.read_only = not_pinned(now.read_only);
  added.self_binds = not_pinned(now.self_binds);
  // Only what every running command has pinned is beyond suspicion in the audit.
  if (running_ == 1) {
    pinned_ = now.read_only;
    pinned_files_ = identities_of(now);
  } else {
    std::erase_if(pinned_, [&](const std::string& path) {
      return std::ranges::find(session_pins_.read_only, path) == session_pins_.read_only.end();
    });
  }
  add_pins(added, extra);
  return extra;
}

void WorkspaceGuard::after(Outcome& outcome) {
  --running_;
  std::erase_if(pinned_, [&](const std::string& path) {
    const auto then = pinned_files_.find(path);
    return then == pinned_files_.end() || !then->second.is_same_file(identity_of(path));
  });
  const AuditReport report =
      tree_.audit(fence_ == Fence::audit_only ? std::vector<std::string>{} : pinned_);
  for (const Finding& finding : report.findings) outcome.repaired.push_back(line_of(finding));
  for (const Finding& finding : report.will_run_later) outcome.runs_later.push_back(finding.path);
  audit_owed_ = !report.incomplete.empty();
  for (const std::string& what : report.incomplete) outcome.repaired.push_back(what);
}

}  // namespace fathom::sandbox
