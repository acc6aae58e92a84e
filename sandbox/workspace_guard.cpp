#include "sandbox/workspace_guard.hpp"

#include "runtime/base/file.hpp"
#include "sandbox/root_view.hpp"

#include <algorithm>

namespace fathom::sandbox {
namespace {

std::string line_of(const Finding& finding) {
  return finding.path + ": " + std::string(name_of(finding.action)) +
         (finding.detail.empty() ? "" : ": " + finding.detail) + " (rule " + finding.rule + ")";
}

std::vector<std::string> not_in(const std::vector<std::string>& paths,
                                const std::vector<std::string>& known) {
  std::vector<std::string> rest;
  for (const std::string& path : paths)
    if (std::ranges::find(known, path) == known.end()) rest.push_back(path);
  return rest;
}

}  // namespace

WorkspaceGuard::WorkspaceGuard(ProtectedTree tree)
    : tree_(std::move(tree)), session_pins_(tree_.pins()), pinned_(session_pins_.read_only) {}

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
  if (running_ == 0) TRY(tree_.refresh());
  ++running_;
  MountRecipe extra;
  if (fence_ == Fence::audit_only) return extra;
  const Pins now = tree_.pins();
  Pins added;
  added.read_only = not_in(now.read_only, session_pins_.read_only);
  added.self_binds = not_in(now.self_binds, session_pins_.self_binds);
  // Only what every running command has pinned is beyond suspicion in the audit.
  pinned_ = running_ == 1 ? now.read_only : session_pins_.read_only;
  add_pins(added, extra);
  return extra;
}

void WorkspaceGuard::after(Outcome& outcome) {
  --running_;
  const AuditReport report =
      tree_.audit(fence_ == Fence::audit_only ? std::vector<std::string>{} : pinned_);
  for (const Finding& finding : report.findings) outcome.repaired.push_back(line_of(finding));
  for (const Finding& finding : report.will_run_later) outcome.runs_later.push_back(finding.path);
  for (const std::string& what : report.incomplete) outcome.repaired.push_back(what);
}

}  // namespace fathom::sandbox
