#include "sandbox/protected_tree.hpp"

#include "tests/sandbox/guard/guarded_workspace.hpp"
#include "tests/sandbox/guard/machine.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>

#include <algorithm>

using namespace fathom;
using namespace fathom::sandbox;
using test::GuardedWorkspace;
using Lines = std::vector<std::string>;

TEST_CASE("what exists is pinned, and its folders on themselves", "[sandbox]") {
  GuardedWorkspace ws(
      "mkdir -p a/b/.vscode/x .git/hooks .git/objects .git/refs .git/info .git/modules/m/hooks "
      ".git/worktrees/w .git/modules/m/objects; echo > .git/config; echo > .git/HEAD; "
      "echo > .git/info/attributes; echo > .git/info/exclude; echo > .git/modules/m/HEAD; "
      "echo > .git/modules/m/config; echo > .git/worktrees/w/config.worktree; "
      "echo > .git/hooks/pre-commit; echo > Makefile; ln -s x .envrc; echo > c.pth");
  const Pins pins = ws.tree().pins();
  const auto sorted = [&](Lines lines) {
    for (std::string& line : lines) line = line.substr(ws.workspace().string().size() + 1);
    std::ranges::sort(lines);
    return lines;
  };
  CHECK(sorted(pins.read_only) ==
        Lines{".git/config", ".git/hooks", ".git/info/attributes", ".git/modules/m/config",
              ".git/modules/m/hooks", ".git/worktrees/w/config.worktree", "a/b/.vscode", "c.pth"});
  CHECK(sorted(pins.self_binds) == Lines{".git", ".git/info", ".git/modules", ".git/modules/m",
                                         ".git/worktrees", ".git/worktrees/w", "a", "a/b"});
  CHECK(std::ranges::find(pins.self_binds, ws.path(".git")) <
        std::ranges::find(pins.self_binds, ws.path(".git/modules/m")));
  CHECK(pins.writable.empty());
  CHECK(pins.notes.empty());
}

TEST_CASE("a repository that a command made is not pinned, so that it can be removed",
          "[sandbox]") {
  if (!test::has_git()) return;
  GuardedWorkspace ws;
  CHECK(ws.command("git init -q n").clean());
  REQUIRE(ws.tree().refresh());
  CHECK(ws.tree().pins().read_only.empty());
  CHECK(ws.command("rm -rf n").clean());
}

TEST_CASE("a workspace that is a link is looked at where it leads", "[sandbox]") {
  test::TempDir dir;
  dir.write("real/.envrc", "a");
  std::filesystem::create_directory(dir / "q");
  std::filesystem::create_symlink("real", dir / "link");
  auto tree = ProtectedTree::create({.workspace = dir / "link",
                                     .names = GuardedWorkspace::names(),
                                     .quarantine = dir / "q",
                                     .limits = {},
                                     .now_ns = {}});
  REQUIRE(tree);
  CHECK(tree->pins().read_only ==
        Lines{(std::filesystem::canonical(dir.path()) / "real/.envrc").string()});
}

TEST_CASE("a quarantine in the workspace, and folders that are missing, are refused", "[sandbox]") {
  test::TempDir dir;
  std::filesystem::create_directories(dir / "ws/q");
  const auto create = [&](const std::string& workspace, const std::string& quarantine) {
    return ProtectedTree::create({.workspace = dir / workspace,
                                  .names = {},
                                  .quarantine = dir / quarantine,
                                  .limits = {},
                                  .now_ns = {}});
  };
  CHECK(create("ws", "ws/q").error().code == ErrorCode::usage);
  CHECK(create("none", "ws").error().code == ErrorCode::not_found);
  CHECK(create("ws", "none").error().code == ErrorCode::not_found);
}

TEST_CASE("an unchanged tree is told from a changed one by every part of it", "[sandbox]") {
  GuardedWorkspace ws("mkdir -p a/b .git/hooks; echo a > .envrc; echo > .git/config");
  ScanSubject subject;
  subject.roots.push_back(
      {ws.workspace().string(),
       UniqueFd(::open(ws.workspace().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), Zone::plain});
  subject.names = *NameMatcher::create(GuardedWorkspace::names());
  // A clock that runs an hour ahead: everything has settled.
  subject.now_ns = [] { return std::int64_t{4'000'000'000'000'000'000}; };
  const Snapshot before = scan(subject, nullptr);
  CHECK(is_unchanged(subject, before));
  const std::string script =
      GENERATE(as<std::string>{}, "echo > a/b/new", "rm -r a", "mv a z; mkdir -p a/b",
               "echo longer > .envrc", "chmod 600 .envrc", "rm .envrc", "echo > .git/hooks/x");
  INFO(script);
  ws.run(script);
  CHECK_FALSE(is_unchanged(subject, before));
}

TEST_CASE("what changed a moment ago is looked at again, as ctime moves in ticks", "[sandbox]") {
  GuardedWorkspace ws("mkdir a; echo a > .envrc");
  ScanSubject subject;
  subject.roots.push_back(
      {ws.workspace().string(),
       UniqueFd(::open(ws.workspace().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), Zone::plain});
  subject.names = *NameMatcher::create(GuardedWorkspace::names());
  const Result<Stamp> made = stamp_of(subject.roots[0].folder.get(), ".envrc");
  REQUIRE(made);
  subject.now_ns = [&] { return made->changed_ns + kSettlingNs; };
  CHECK_FALSE(is_unchanged(subject, scan(subject, nullptr)));
}

TEST_CASE("the second look lists only what changed and finds the same as a first one",
          "[sandbox]") {
  GuardedWorkspace ws("mkdir -p a/b/c d/e .git/hooks; echo a > .envrc; echo > a/b/Makefile");
  ScanSubject subject;
  subject.roots.push_back(
      {ws.workspace().string(),
       UniqueFd(::open(ws.workspace().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), Zone::plain});
  subject.names = *NameMatcher::create(GuardedWorkspace::names());
  subject.now_ns = [] { return std::int64_t{4'000'000'000'000'000'000}; };
  const Snapshot first = scan(subject, nullptr);
  ws.run("mkdir -p d/e/.vscode; echo > d/e/.vscode/x; echo > a/b/c/y");
  const Snapshot second = scan(subject, &first);
  CHECK(second.entries == 3);  // d/e: .vscode; .vscode: x; c: y
  const auto paths = [](const Snapshot& snapshot) {
    Lines lines;
    for (std::uint32_t at = 0; at < snapshot.directories.size(); ++at) {
      lines.push_back(path_of(snapshot, at));
      for (const WatchedEntry& entry : snapshot.directories[at].watched)
        lines.push_back(path_of(snapshot, at, entry.name) + " " + entry.rule);
    }
    std::ranges::sort(lines);
    return lines;
  };
  CHECK(paths(second) == paths(scan(subject, nullptr)));
}

TEST_CASE("paths are resolved by their spelling only where that says something", "[paths]") {
  CHECK(resolve_path("/a/b", "../c") == "/a/c");
  CHECK(resolve_path("/a/b", "../../../c") == "/c");
  CHECK(resolve_path("/a/b", "./c//d/") == "/a/b/c/d");
  CHECK(resolve_path("/a/b", "/c/d") == "/c/d");
  CHECK(resolve_path("/a/b", "..") == "/a");
  CHECK(resolve_path("/a/b", "c/../d").empty());
  CHECK(resolve_path("/a/b", "/c/../d").empty());
  CHECK(git_file_target("/w", "gitdir: .git/x\n") == "/w/.git/x");
  CHECK(git_file_target("/w", "gitdir:x").empty());
  CHECK(git_file_target("/w", std::string_view("gitdir: a\0b", 11)).empty());
}
