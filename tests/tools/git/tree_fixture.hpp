// Trees on the disk as values, and a workspace with its snapshots.
#pragma once

#include "tests/support/temp_dir.hpp"
#include "tools/git/snapshots.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools::test {

/// Everything below `folder` but `.git`: "file 644 text", "link -> target", "folder 755".
std::map<std::string, std::string> tree_of(const std::filesystem::path& folder);

/// Runs git with a config of its own and gives what it printed; throws when it fails with more than
/// "no" (1).
std::string git(const std::filesystem::path& folder, std::vector<std::string> words);

/// What could not be restored, one a line.
std::string reasons(const RestoreReport& report);

struct Workspace {
  fathom::test::TempDir dir;
  std::filesystem::path root = dir / "workspace";
  std::filesystem::path state = dir / "state";

  Workspace() { std::filesystem::create_directories(root); }
  void write(std::string_view name, std::string_view bytes) const;
  [[nodiscard]] std::string read(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] Snapshots snapshots(SnapshotBounds bounds = {}) const;
};

}  // namespace fathom::tools::test
