// ProbeBox: a sandbox with something to attack. Its folder holds the workspace, a home full of
// secrets, a folder that the policy shows read-only, the runtime's state, and beside them a scratch
// copy of it all, at which probes are aimed unconfined.
#pragma once

#include "tests/sandbox/probes/victim.hpp"
#include "tests/sandbox/sandbox_fixture.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace fathom::test {

struct ProbeBoxSetup {
  std::optional<sandbox::Rung> rung = sandbox::Rung::full;  ///< none: the strongest that works
  std::function<void(sandbox::LauncherOptions&)> change = {};
  Listening listening = Listening::on_loopback;
};

/// By the names in braces of ProbeCase::command.
using Places = std::map<std::string, std::string, std::less<>>;

class ProbeBox {
 public:
  explicit ProbeBox(const ProbeBoxSetup& setup = {});
  ~ProbeBox();

  /// Puts files back as they were, in the workspace and in the scratch copy.
  void refresh();
  /// Everything that no command may have changed for good, as text: what lies outside the workspace
  /// whole, and the contents of protected paths in it.
  [[nodiscard]] std::string untouchable() const;

  /// One run of fathom_probes; the answer, or how it ended instead.
  std::string unconfined(const std::string& command);
  std::string confined(const std::string& command);

  /// Opens the launcher once; fails the test when that fails.
  void open();
  SandboxFixture& box() { return *box_; }
  [[nodiscard]] Places& unconfined_places() { return unconfined_; }
  [[nodiscard]] Places& confined_places() { return confined_; }

 private:
  void fill_places();

  UniqueFd leaked_;  // a secret without close-on-exec, as careless callers have
  std::unique_ptr<SandboxFixture> box_;
  std::filesystem::path root_;
  bool opened_ = false;
  std::string pristine_;  // what refresh() makes, described
  std::unique_ptr<Victim> victim_;
  Places unconfined_;
  Places confined_;
};

/// Replaces {name}; throws on one that is not known.
std::string replace_places(std::string_view text, const Places& places);

/// Paths that probes try to create on the host; none may exist.
std::vector<std::string> host_marks();

/// A copy of the probes that runs under an id of nobody, made by root, for the user's run too; ""
/// when there is none.
std::string setuid_probes();

}  // namespace fathom::test
