// Real git at work: what it does by itself is no finding, and what makes a later git run a program
// is.
#include "tests/sandbox/guard/guarded_workspace.hpp"
#include "tests/sandbox/guard/machine.hpp"
#include "tests/support/catch.hpp"

using namespace fathom;
using test::GuardedWorkspace;
using test::lines_of;
using Lines = std::vector<std::string>;

namespace {

constexpr std::string_view kRepository = R"(
git init -q .
echo one > file && git add file && git commit -qm one
printf '#!/bin/sh\nexit 0\n' > .git/hooks/pre-push && chmod +x .git/hooks/pre-push
)";

}  // namespace

TEST_CASE("ordinary work in a repository is no finding", "[sandbox]") {
  if (!test::has_git()) return;
  GuardedWorkspace ws(kRepository);
  const auto [name, script] = GENERATE(table<std::string, std::string>({
      {"commit", "echo two >> file; git commit -qam two; git tag -am t v1; git notes add -m n"},
      {"branch",
       "git checkout -qb topic; echo t > t; git add t; git commit -qm t; git branch -q z"},
      {"merge",
       "git checkout -qb side; echo s > s; git add s; git commit -qm s; git checkout -q main; "
       "echo m > m; git add m; git commit -qm m; git merge -q side; git log --oneline"},
      {"conflict",
       "git checkout -qb side; echo s > file; git commit -qam s; git checkout -q main; "
       "echo m > file; git commit -qam m; git merge side || true; git status; git merge --abort; "
       "git cherry-pick side || true"},
      {"rebase",
       "git checkout -qb side; echo s > file; git commit -qam s; git checkout -q main; "
       "echo m > file; git commit -qam m; git rebase side || true; git status"},
      {"rebase done",
       "git checkout -qb side; echo s > s; git add s; git commit -qm s; git checkout -q main; "
       "echo m > m; git add m; git commit -qm m; git rebase -q side"},
      {"am",
       "echo x > x; git add x; git commit -qm x; git format-patch -1 --stdout > p; "
       "git reset -q --hard HEAD~; echo y > x; git add x; git commit -qm y; git am p || true"},
      {"stash", "echo two >> file; git stash -q; git stash pop -q; git stash -q"},
      {"gc",
       "git gc -q --prune=now; git fsck --lost-found; git repack -adq; git pack-refs --all; "
       "git commit-graph write; git update-server-info; git count-objects; git prune"},
      {"bisect",
       "for i in 1 2 3 4; do echo $i > file; git commit -qam $i; done; "
       "git bisect start -q HEAD HEAD~3; git bisect log"},
      {"remote",
       "git remote add up https://example.com/x.git; git config user.name me; "
       "git branch -q b; git config branch.b.merge refs/heads/main"},
      {"fetch",
       "git clone -q . other; git remote add o ./other; git fetch -q o; "
       "git branch -q -u o/main; git pull -q"},
      {"sparse", "git sparse-checkout set --cone dir; git sparse-checkout disable"},
      {"split index", "git update-index --split-index; echo 2 > file; git add file; git status"},
      {"shallow",
       "git clone -q --depth 1 file://$PWD shallow; cd shallow; git fetch -q --unshallow"},
      {"rerere",
       "git -c rerere.enabled=true checkout -qb side; echo s > file; git commit -qam s; "
       "git checkout -q main; echo m > file; git commit -qam m; "
       "git -c rerere.enabled=true merge side || true"},
      {"init", "git init -q nested/deep; cd nested/deep; git commit -q --allow-empty -m a"},
      {"bare",
       "git init -q --bare bare.git; git clone -q --bare . copy.git; git push -q bare.git main"},
      {"bare in an empty folder", "rmdir empty 2>/dev/null || true; git init -q --bare hollow.git"},
      {"mirror", "git clone -q --mirror . mirror.git; cd mirror.git; git remote update"},
      {"worktree",
       "git worktree add -q tree -b tree; cd tree; echo w > w; git add w; "
       "git commit -qm w; git worktree lock .; git worktree unlock .; git gc -q; "
       "git stash list; git rebase -q main"},
      {"worktree removed",
       "git worktree add -q gone -b gone; git worktree move gone gone2; "
       "git worktree remove gone2; git worktree prune"},
      {"submodule",
       "git clone -q . ../sub; git submodule add -q ../sub mod; git commit -qm sub; "
       "cd mod; echo s > s; git add s; git commit -qm s; git checkout -qb x"},
      {"submodule update",
       "git clone -q . $PWD/sub; git submodule add -q $PWD/sub a/b; "
       "git commit -qm sub; git clone -q . again; cd again; "
       "git submodule update -q --init --recursive; git submodule deinit -q a/b"},
      {"separate git dir",
       "git init -q --separate-git-dir $PWD/store.git split; cd split; "
       "git commit -q --allow-empty -m a"},
      {"reinit", "git init -q ."},
  }));
  INFO(name);
  CHECK(lines_of(ws.command(script)) == Lines{});
  CHECK(lines_of(ws.command("git status")) == Lines{});
  CHECK(ws.quarantined().empty());
}

TEST_CASE("work in a linked worktree whose git directory lies elsewhere is no finding",
          "[sandbox]") {
  if (!test::has_git()) return;
  GuardedWorkspace ws(
      "git init -q ../main; git -C ../main commit -q --allow-empty -m a; "
      "rmdir ../ws; git -C ../main worktree add -q ../ws -b topic; cd ../ws");
  const std::string common = (ws.workspace().parent_path() / "main/.git").string();
  const sandbox::Pins pins = ws.tree().pins();
  CHECK(pins.writable == Lines{common});
  CHECK(std::ranges::find(pins.read_only, common + "/hooks") != pins.read_only.end());
  CHECK(std::ranges::find(pins.read_only, common + "/config") != pins.read_only.end());
  CHECK(std::ranges::find(pins.read_only, ws.path(".git")) != pins.read_only.end());
  CHECK(lines_of(ws.command(
            "echo a > a; git add a; git commit -qm a; git gc -q; git stash list")) == Lines{});
  CHECK(lines_of(ws.command("echo x > ../main/.git/hooks/pre-commit; "
                            "git config core.fsmonitor ./x")) ==
        Lines{"quarantined git.hooks " + common + "/hooks/pre-commit",
              "reverted git.config " + common + "/config"});
}

TEST_CASE("work in a submodule whose git directory lies elsewhere is no finding", "[sandbox]") {
  if (!test::has_git()) return;
  GuardedWorkspace ws(
      "git init -q ../sub; git -C ../sub commit -q --allow-empty -m a; git init -q ../super; "
      "rmdir ../ws; cd ../super; git submodule add -q ../sub mod; cd ..; "
      "rm -rf ws; ln -s super/mod ws; cd ws");
  const std::string store = (ws.workspace().parent_path() / "super/.git/modules/mod").string();
  CHECK(ws.tree().pins().writable == Lines{store});
  CHECK(lines_of(ws.command("echo a > a; git add a; git commit -qm a; git gc -q")) == Lines{});
  CHECK(lines_of(ws.command("echo x > $(git rev-parse --git-dir)/hooks/pre-commit")) ==
        Lines{"quarantined git.hooks " + store + "/hooks/pre-commit"});
}

TEST_CASE("a .git file does not open a repository that does not point back", "[sandbox]") {
  if (!test::has_git()) return;
  GuardedWorkspace ws("git init -q ../other; echo \"gitdir: $PWD/../other/.git\" > .git");
  CHECK(ws.tree().pins().writable.empty());
  CHECK(ws.tree().pins().notes.empty());  // ".." behind a name: not even a path
  GuardedWorkspace straight(
      "git init -q ../other; echo \"gitdir: $(realpath ../other/.git)\" > .git");
  CHECK(straight.tree().pins().writable.empty());
  CHECK(straight.tree().pins().notes.size() == 1);
}

TEST_CASE("a repository made by a command keeps the inert keys of its config", "[sandbox]") {
  if (!test::has_git()) return;
  GuardedWorkspace ws;
  const auto report = ws.command(
      "git init -q n; cd n; git config core.hooksPath evil; git config user.name me; "
      "git config core.fsmonitor 'touch /tmp/x'; git config alias.st '!sh'; "
      "git config include.path ../evil; git config remote.o.url 'ext::sh -c x'; "
      "git config remote.p.url https://example.com/p.git; git config submodule.x.update '!sh'");
  REQUIRE(lines_of(report) == Lines{"reverted git.config n/.git/config"});
  CHECK(report.findings[0].detail.starts_with(
      "lost core.hookspath, core.fsmonitor, alias.st, include.path, remote.o.url, "
      "submodule.x.update; it is now "));
  CHECK(ws.run("git -C n config -l --local --name-only") ==
        "core.repositoryformatversion\ncore.filemode\ncore.bare\ncore.logallrefupdates\n"
        "user.name\nremote.p.url\n");
  CHECK(ws.quarantined() == Lines{"config"});
  CHECK(lines_of(ws.command("git -C n commit -q --allow-empty -m a")) == Lines{});
}

TEST_CASE("what makes a later git run a program is caught", "[sandbox]") {
  if (!test::has_git()) return;
  GuardedWorkspace ws(kRepository);
  const auto [script, expected] = GENERATE(table<std::string, Lines>({
      {"echo x > .git/hooks/pre-commit", {"quarantined git.hooks .git/hooks/pre-commit"}},
      {"echo x >> .git/hooks/pre-push", {"reverted git.hooks .git/hooks/pre-push"}},
      {"chmod 777 .git/hooks/pre-push", {"reverted git.hooks .git/hooks/pre-push"}},
      {"rm .git/hooks/pre-push", {"reverted git.hooks .git/hooks/pre-push"}},
      {"rm -r .git/hooks", {"reverted git.hooks .git/hooks/pre-push"}},
      {"rm -r .git/hooks; ln -s ../evil .git/hooks",
       {"quarantined git.link .git/hooks", "reverted git.hooks .git/hooks/pre-push"}},
      {"echo x > e; ln e .git/hooks/pre-commit", {"quarantined git.hooks .git/hooks/pre-commit"}},
      {"ln -s ../../e .git/hooks/pre-commit", {"quarantined git.link .git/hooks/pre-commit"}},
      {"mkdir .git/hooks/pre-commit.d; echo > .git/hooks/pre-commit.d/x",
       {"quarantined git.hooks .git/hooks/pre-commit.d"}},
      {"git config core.fsmonitor ./x", {"reverted git.config .git/config"}},
      {"git config core.hooksPath x", {"reverted git.config .git/config"}},
      {"git config include.path ../x", {"reverted git.config .git/config"}},
      {"git config extensions.worktreeConfig true; git config --worktree core.pager x",
       {"reverted git.config .git/config.worktree"}},
      {"rm .git/config; mkfifo .git/config", {"reverted git.link .git/config"}},
      {"rm .git/config; ln -s ../x .git/config", {"reverted git.link .git/config"}},
      {"rm .git/config; mkdir .git/config",
       {"quarantined git.unknown .git/config", "reverted git.config .git/config"}},
      {"echo '* filter=x' > .git/info/attributes", {"quarantined git.info .git/info/attributes"}},
      {"echo x > .git/info/grafts", {"quarantined git.info .git/info/grafts"}},
      {"echo x > .git/info/exclude", {"reverted git.exclude .git/info/exclude"}},
      {"echo evil > .git/commondir", {"quarantined git.unknown .git/commondir"}},
      {"echo x > .git/branches/b", {"quarantined git.remotes .git/branches/b"}},
      {"ln -s ~/.bashrc .git/COMMIT_EDITMSG2; ln -sf ~/.bashrc .git/COMMIT_EDITMSG",
       {"quarantined git.link .git/COMMIT_EDITMSG", "quarantined git.link .git/COMMIT_EDITMSG2"}},
      {"ln -sf ~/.bashrc .git/logs/HEAD", {"quarantined git.link .git/logs/HEAD"}},
      {"echo /x > .git/objects/info/alternates",
       {"reported git.alternates .git/objects/info/alternates"}},
      {"mv .git .was; git init -q .; echo x > .git/hooks/pre-commit; git config core.pager x",
       {"quarantined git.hooks .git/hooks/pre-commit", "reverted git.config .git/config",
        "reverted git.hooks .git/hooks/pre-push"}},
      {"mv .git .was; ln -s .was .git", {"quarantined git.dir .git", "reported git.removed .git"}},
      {"mv .git .was; echo 'gitdir: /somewhere/else' > .git",
       {"quarantined git.dir .git", "reported git.removed .git"}},
      {"git init -q n; echo x > n/.git/hooks/pre-commit",
       {"quarantined git.hooks n/.git/hooks/pre-commit"}},
      {"mkdir -p a/b/c/d/e/f/g; cd a/b/c/d/e/f/g; git init -q .; echo x > .git/hooks/update",
       {"quarantined git.hooks a/b/c/d/e/f/g/.git/hooks/update"}},
      {"git clone -q . ../sub; git submodule add -q ../sub m; echo x > .git/modules/m/hooks/h; "
       "git -C m config core.pager x",
       {"quarantined git.hooks .git/modules/m/hooks/h",
        "reverted git.config .git/modules/m/config"}},
      {"git worktree add -q t; echo ../../../evil > .git/worktrees/t/commondir",
       {"quarantined git.commondir .git/worktrees/t/commondir"}},
      {"git worktree add -q t; echo x > .git/worktrees/t/config",
       {"quarantined git.unknown .git/worktrees/t/config"}},
      {"mkdir s; echo 'gitdir: ../.git/objects' > s/.git", {"quarantined git.dir s/.git"}},
      {"git init -q --bare .git/objects/aa; git -C .git/objects/aa config core.pager x; "
       "ln -s .git/objects/aa docs",
       {"reverted git.config .git/objects/aa/config"}},
      {"cd .git/objects; mkdir objects refs; echo 'ref: refs/heads/main' > HEAD; "
       "printf '[core]\npager=x\n' > config; ln -s .git/objects ../../docs",
       {"quarantined git.bare .git/objects/HEAD"}},
      {"mkdir .git/logs/objects; printf '[core]\npager=x\n' > .git/logs/config",
       {"quarantined git.bare .git/logs/objects"}},
      {"mkdir -p .github/workflows; git init -q .github/workflows/x; "
       "echo x > .github/workflows/x/.git/hooks/pre-commit; echo > .github/workflows/x/.envrc",
       {"quarantined git.hooks .github/workflows/x/.git/hooks/pre-commit",
        "quarantined names.envrc .github/workflows/x/.envrc"}},
      {"git init -q .git/refs/x; ln -s .git/refs/x docs",
       {"quarantined git.unknown .git/refs/x/.git"}},
      {"mkdir s; ln -s ../.git s/.git", {"quarantined git.dir s/.git"}},
      {"mkdir s; mkfifo s/.git", {"quarantined git.dir s/.git"}},
      {"mkdir -p l/r; ln -s r l/x; git init -q g; mkdir s; echo 'gitdir: ../l/x/../../g/.git' > "
       "s/.git",
       {"quarantined git.dir s/.git"}},
      {"git init -q --bare b; echo x > b/hooks/post-receive; git -C b config core.pager x",
       {"quarantined git.hooks b/hooks/post-receive", "reverted git.config b/config"}},
      {"mkdir -p b/objects b/refs; echo 'ref: refs/heads/main' > b/HEAD; printf "
       "'[core]\\npager=x\\n' "
       "> b/config",
       {"reverted git.config b/config"}},
      {"git init -q n; mv n/.git n/.GIT; echo x > n/.GIT/hooks/pre-commit",
       {"quarantined git.hooks n/.GIT/hooks/pre-commit"}},
      {"git init -q n; cd n; git config core.worktree /etc", {"reverted git.config n/.git/config"}},
      {"git config remote.origin.url https://a.example; git config remote.origin.push x:y", {}},
      {"git checkout -qb r; git commit -q --allow-empty -m r; "
       "GIT_SEQUENCE_EDITOR=\"sed -i '1i break\\nexec evil'\" git rebase -i HEAD~1 || true",
       {"later git.rebase .git/rebase-merge/git-rebase-todo"}},
  }));
  INFO(script);
  const std::string config = ws.slurp(".git/config");
  const std::string hook = ws.slurp(".git/hooks/pre-push");
  CHECK(lines_of(ws.command(script)) == expected);
  // Nothing is left to find, and what the user had is there.
  CHECK(lines_of(ws.tree().audit({})) == Lines{});
  if (expected.empty() || !ws.exists(".git/config")) return;
  CHECK(ws.slurp(".git/hooks/pre-push") == hook);
  if (script.find("git submodule") == std::string::npos &&
      script.find("worktreeConfig") == std::string::npos)
    CHECK(ws.slurp(".git/config") == config);
}

TEST_CASE("a user's folder that is made a git directory loses its HEAD and nothing else",
          "[sandbox]") {
  GuardedWorkspace ws("mkdir -p hooks objects refs; echo mine > hooks/a; echo mine > config");
  CHECK(lines_of(ws.command("echo 'ref: refs/heads/main' > HEAD; echo evil > hooks/pre-commit")) ==
        Lines{"quarantined git.bare HEAD"});
  CHECK(ws.slurp("hooks/a") == "mine\n");
  CHECK(ws.slurp("config") == "mine\n");
  CHECK(ws.quarantined() == Lines{"HEAD"});
}

TEST_CASE("folders that a config names are protected", "[sandbox]") {
  if (!test::has_git()) return;
  GuardedWorkspace ws(
      "git init -q .; git config core.hooksPath .githooks; git config include.path ../.gitextra; "
      "mkdir .githooks; echo a > .githooks/pre-commit; echo > .gitextra");
  const sandbox::Pins pins = ws.tree().pins();
  CHECK(std::ranges::find(pins.read_only, ws.path(".githooks")) != pins.read_only.end());
  CHECK(lines_of(ws.command("echo x >> .githooks/pre-commit; echo y > .githooks/pre-push; "
                            "printf '[core]\\npager=x\\n' > .gitextra")) ==
        Lines{"quarantined git.core.hookspath .githooks/pre-push",
              "reverted git.core.hookspath .githooks/pre-commit",
              "reverted git.include .gitextra"});
}

TEST_CASE("an existing remote may not be sent elsewhere", "[sandbox]") {
  if (!test::has_git()) return;
  GuardedWorkspace ws("git init -q .; git remote add origin https://a.example/x.git");
  const std::string script =
      GENERATE(as<std::string>{}, "git remote set-url origin https://b.example/x.git",
               "git remote set-url --add origin https://b.example/x.git",
               "git remote set-url --push origin https://b.example/x.git");
  CHECK(lines_of(ws.command(script)) == Lines{"reverted git.config .git/config"});
  CHECK(ws.run("git remote get-url --push origin") == "https://a.example/x.git\n");
}
