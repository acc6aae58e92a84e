// Trees made to break whoever looks at them.
#include "sandbox/remove_tree.hpp"
#include "tests/sandbox/guard/guarded_workspace.hpp"
#include "tests/sandbox/guard/machine.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

using namespace fathom;
using test::GuardedWorkspace;
using test::lines_of;
using Lines = std::vector<std::string>;

namespace {

constexpr int kDepth = 10'000;

// A chain of folders below `base`, and at its end a protected file.
void make_deep(const std::string& base, const std::string& last) {
  UniqueFd at(::open(base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int level = 0; level < kDepth; ++level) {
    REQUIRE(::mkdirat(at.get(), "d", 0755) == 0);
    at.reset(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  const UniqueFd file(::openat(at.get(), last.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  REQUIRE(file);
}

}  // namespace

TEST_CASE("a protected name below 10,000 folders is found and moved away", "[sandbox]") {
  GuardedWorkspace ws("", test::fast_folder());
  make_deep(ws.workspace().string(), ".envrc");
  const sandbox::AuditReport report = ws.tree().audit({});
  REQUIRE(report.findings.size() == 1);
  CHECK(report.incomplete.empty());
  CHECK(report.findings[0].path.ends_with("/d/d/.envrc"));
  CHECK(ws.quarantined() == Lines{".envrc"});
  CHECK(ws.tree().audit({}).clean());
  // A folder too deep for a path cannot be pinned, which is said.
  CHECK(ws.tree().pins().read_only.empty());
  const UniqueFd root(::open(ws.workspace().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(sandbox::remove_tree(root.get(), "d"));
  CHECK_FALSE(ws.exists("d"));
}

TEST_CASE("a protected name too deep to be pinned is said", "[sandbox]") {
  GuardedWorkspace ws("", test::fast_folder());
  make_deep(ws.workspace().string(), ".envrc");
  REQUIRE(ws.tree().refresh());
  const sandbox::Pins pins = ws.tree().pins();
  CHECK(pins.read_only.empty());
  REQUIRE(pins.notes.size() == 1);
  CHECK(pins.notes[0].starts_with("too deep to pin: /"));
  const UniqueFd root(::open(ws.workspace().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(sandbox::remove_tree(root.get(), "d"));
}

TEST_CASE("a folder that cannot be read makes the audit incomplete", "[sandbox]") {
  if (::geteuid() == 0) {
    // Root reads everything: the same as an ordinary user is in protected_tree_test's limits.
    return test::skip("running as root: folders that nobody may read were not tested");
  }
  GuardedWorkspace ws;
  const sandbox::AuditReport report = ws.command("mkdir -p closed/sub; chmod 300 closed");
  ws.run("chmod 700 closed");
  CHECK(lines_of(report) ==
        Lines{"audit incomplete: " + ws.path("closed") + ": open: Permission denied"});
}

TEST_CASE("beyond a bound the audit says that it is incomplete", "[sandbox]") {
  test::TempDir dir;
  std::filesystem::create_directories(dir / "ws/a");
  std::filesystem::create_directory(dir / "q");
  const auto [limits, line] = GENERATE(table<sandbox::ScanLimits, std::string>({
      {{.entries_max = 20}, "audit incomplete: more than 20 entries"},
      {{.directories_max = 5}, "audit incomplete: more than 5 folders"},
      {{.watched_max = 3}, "audit incomplete: more than 3 protected entries"},
      {{.reported_max = 3}, "audit incomplete: more than 3 files that will run later"},
  }));
  // Also when all of it has settled, and a later look could do without the folders.
  const auto settled = [] { return std::numeric_limits<std::int64_t>::max() / 2; };
  const bool is_old = GENERATE(false, true);
  auto tree = sandbox::ProtectedTree::create(
      {.workspace = dir / "ws",
       .names = GuardedWorkspace::names(),
       .quarantine = dir / "q",
       .limits = limits,
       .now_ns = is_old ? std::function<std::int64_t()>(settled) : nullptr});
  REQUIRE(tree);
  for (int i = 0; i < 30; ++i) {
    std::filesystem::create_directory(dir / ("ws/a/d" + std::to_string(i)));
    dir.write("ws/m" + std::to_string(i) + "/Makefile", "all:");
    dir.write("ws/n" + std::to_string(i) + "/t.pth", "");
  }
  for (int audits = 0; audits < 2; ++audits) {  // not once only
    const sandbox::AuditReport report = tree->audit({});
    CHECK(std::ranges::find(report.incomplete, line) != report.incomplete.end());
    for (int i = 0; i < 30; ++i) dir.write("ws/n" + std::to_string(i) + "/t.pth", "");
  }
}

TEST_CASE("reports crowd out no correction", "[sandbox]") {
  GuardedWorkspace ws("", test::fast_folder());
  const sandbox::AuditReport report = ws.command(
      "for i in $(seq 2000); do mkdir $i; echo > $i/Makefile; done; mkdir z; echo > z/.envrc");
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].path == "z/.envrc");
  CHECK(report.will_run_later.size() == sandbox::kWillRunMax + 1);
  CHECK(report.will_run_later.back().detail == "and 1500 more");
}

TEST_CASE("while a program swaps folders for links nothing outside is touched", "[sandbox]") {
  GuardedWorkspace ws("mkdir -p a/.vscode b");
  const std::string outside = (ws.workspace().parent_path() / "outside").string();
  ws.run(
      "mkdir -p ../outside/.vscode; echo keep > ../outside/.vscode/keep; "
      "echo keep > ../outside/.envrc");
  std::atomic<bool> stop = false;
  std::thread attacker([&] {
    const std::string a = ws.path("a");
    const std::string spare = ws.path("spare");
    const std::string link = ws.path("link");
    ::symlink(outside.c_str(), link.c_str());
    while (!stop) {
      const UniqueFd file(::open((a + "/.envrc").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      ::rename(a.c_str(), spare.c_str());
      ::rename(link.c_str(), a.c_str());
      ::rename(a.c_str(), link.c_str());
      ::rename(spare.c_str(), a.c_str());
    }
  });
  for (int i = 0; i < 200; ++i) (void)ws.tree().audit({});
  stop = true;
  attacker.join();
  CHECK(test::slurp(outside + "/.vscode/keep") == "keep\n");
  CHECK(test::slurp(outside + "/.envrc") == "keep\n");
}
