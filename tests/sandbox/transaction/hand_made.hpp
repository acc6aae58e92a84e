// HandMade: a workspace, a transaction of it, and an upper layer put together by hand as overlayfs
// would have written it.
#pragma once

#include "sandbox/transaction.hpp"
#include "tests/support/temp_dir.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

class HandMade {
 public:
  HandMade();
  explicit HandMade(const std::filesystem::path& parent);

  /// A file of the workspace; before begin().
  void lower(const std::string& path, std::string_view text) const;
  void begin();
  /// A change by the host after the beginning: its ctime is newer, whatever the clock's steps.
  void host(const std::string& path, std::string_view text) const;
  void host_remove(const std::string& path) const;

  /// What the layer holds.
  void upper(const std::string& path, std::string_view text) const;
  void upper_folder(const std::string& path) const;
  void upper_link(const std::string& path, const std::string& target) const;
  void upper_mode(const std::string& path, unsigned mode) const;
  void whiteout(const std::string& path) const;
  void attribute(const std::string& path, const char* name, std::string_view value) const;
  void opaque(const std::string& path) const { attribute(path, "user.overlay.opaque", "y"); }
  void copied_up(const std::string& path) const { attribute(path, "user.overlay.origin", ""); }

  /// "added file a/b", "deleted folder c (withheld, rule)".
  [[nodiscard]] std::vector<std::string> lines() const;
  [[nodiscard]] std::vector<sandbox::Change> changes() const;
  sandbox::CommitReport commit(const sandbox::CommitOptions& options);
  sandbox::CommitReport commit() { return commit(options_); }

  [[nodiscard]] sandbox::Transaction& transaction() const { return *transaction_; }
  /// As after the end of the process that held it.
  void reopen();
  void release() { transaction_.reset(); }

  [[nodiscard]] std::filesystem::path work(std::string_view path = "") const;
  [[nodiscard]] std::filesystem::path layer(std::string_view path = "") const;
  [[nodiscard]] std::filesystem::path state() const { return root_ / "state"; }
  [[nodiscard]] sandbox::CommitOptions& options() { return options_; }
  [[nodiscard]] std::string text(const std::string& path) const { return slurp(work(path)); }

 private:
  void wait_for_newer(const std::filesystem::path& path) const;

  TempDir root_;
  sandbox::CommitOptions options_;
  std::string id_;
  std::unique_ptr<sandbox::Transaction> transaction_;
};

/// Every path below `root` with type, bits and content or target: equal strings are equal trees.
std::string picture_of(const std::filesystem::path& root);

/// The names in a folder, sorted.
std::vector<std::string> names_in(const std::filesystem::path& folder);

std::string line_of(const sandbox::Change& change);

}  // namespace fathom::test
