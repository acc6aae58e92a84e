// A workspace with a protected tree around it, and a shell that stands for the command.
#pragma once

#include "sandbox/protected_tree.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

class GuardedWorkspace {
 public:
  /// Runs `setup` in the workspace as the host, then looks at it.
  explicit GuardedWorkspace(
      std::string_view setup = "",
      const std::filesystem::path& parent = std::filesystem::temp_directory_path());

  /// Runs a script in the workspace, with git's environment set; throws with its output when it
  /// fails.
  std::string run(std::string_view script) const;

  /// A command and the audit behind it.
  sandbox::AuditReport command(std::string_view script,
                               const std::vector<std::string>& pinned = {});

  sandbox::ProtectedTree& tree() { return *tree_; }
  [[nodiscard]] std::string path(std::string_view name) const { return (root_ / name).string(); }
  [[nodiscard]] const std::filesystem::path& workspace() const { return root_; }
  [[nodiscard]] const std::filesystem::path& home() const { return home_; }
  [[nodiscard]] std::string slurp(std::string_view name) const;
  [[nodiscard]] bool exists(std::string_view name) const;

  /// Files below the quarantine folder, by name without the number.
  [[nodiscard]] std::vector<std::string> quarantined() const;

  /// The policy of these tests.
  static std::vector<policies::ProtectedName> names();

 private:
  TempDir dir_;
  std::filesystem::path root_;
  std::filesystem::path home_;
  std::optional<sandbox::ProtectedTree> tree_;
};

/// One line a finding: "quarantined git.hooks sub/.git/hooks/pre-commit".
std::vector<std::string> lines_of(const sandbox::AuditReport& report);

}  // namespace fathom::test
