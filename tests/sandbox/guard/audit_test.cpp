// Protected names of the policy: what was there stays as it was, what a command makes is moved
// away.
#include "sandbox/audit.hpp"

#include "tests/sandbox/guard/guarded_workspace.hpp"
#include "tests/support/catch.hpp"

#include <sys/stat.h>

using namespace fathom;
using sandbox::AuditReport;
using test::GuardedWorkspace;
using test::lines_of;
using Lines = std::vector<std::string>;

TEST_CASE("a protected name that a command makes is quarantined, whatever it is", "[sandbox]") {
  GuardedWorkspace ws("mkdir -p sub; echo hi > file");
  const auto [script, expected] = GENERATE(table<std::string, Lines>({
      {"mkdir .vscode; echo x > .vscode/tasks.json", {"quarantined names.vscode .vscode"}},
      {"mkdir -p a/b/.vscode/c/d; echo > a/b/.vscode/c/d/e",
       {"quarantined names.vscode a/b/.vscode"}},
      {"echo x > .mcp.json", {"quarantined names.mcp .mcp.json"}},
      {"echo x > sub/.MCP.json", {"quarantined names.mcp sub/.MCP.json"}},
      {"mkfifo .mcp.json", {"quarantined names.mcp .mcp.json"}},
      {"ln -s file .mcp.json", {"quarantined names.mcp .mcp.json"}},
      {"ln -s sub .vscode", {"quarantined names.vscode .vscode"}},
      {"ln file .envrc", {"quarantined names.envrc .envrc"}},
      {"mkdir .mcp.json", {"quarantined names.mcp .mcp.json"}},
      {"python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\".envrc\")'",
       {"quarantined names.envrc .envrc"}},
      {"mkdir -p .github/hooks; echo > .github/hooks/x",
       {"quarantined names.github .github/hooks"}},
      {"mkdir hooks; echo > hooks/x", {}},
      {"echo import os > evil.pth", {"quarantined names.pth evil.pth"}},
      {"echo all: > Makefile", {"later names.make Makefile"}},
      {"mkdir -p .github/workflows; echo > .github/workflows/ci.yaml",
       {"later names.workflows .github/workflows/ci.yaml"}},
      {"echo > pth; echo > .mcp.json5; echo > file; rm -r sub", {}},
      {"mkdir $'new\\nline'; echo x > $'new\\nline'/.envrc",
       {"quarantined names.envrc new\nline/.envrc"}},
  }));
  INFO(script);
  CHECK(lines_of(ws.command(script)) == expected);
  CHECK(lines_of(ws.tree().audit({})) == Lines{});
}

TEST_CASE("a protected name that was there is put back as it was", "[sandbox]") {
  GuardedWorkspace ws(
      "mkdir -p p/.vscode/deep; echo '{}' > p/.vscode/settings.json; echo d > p/.vscode/deep/d; "
      "echo use > .envrc; chmod 640 .envrc; ln -s target t.pth; echo all: > Makefile");
  const auto [script, expected] = GENERATE(table<std::string, Lines>({
      {"echo evil > .envrc", {"reverted names.envrc .envrc"}},
      {"echo evil > e; mv e .envrc", {"reverted names.envrc .envrc"}},
      {"rm .envrc", {"reverted names.envrc .envrc"}},
      {"chmod 666 .envrc", {"reverted names.envrc .envrc"}},
      {"rm .envrc; mkdir .envrc; echo > .envrc/x",
       {"quarantined names.envrc .envrc", "reverted names.envrc .envrc"}},
      {"cp -p .envrc c; echo evil >> .envrc; cp -p c .envrc; touch -r c .envrc", {}},
      {"rm t.pth; ln -s evil t.pth", {"reverted names.pth t.pth"}},
      {"echo x > p/.vscode/tasks.json; echo x > p/.vscode/deep/d",
       {"quarantined names.vscode p/.vscode/tasks.json", "reverted names.vscode p/.vscode/deep/d"}},
      {"rm -r p/.vscode",
       {"reverted names.vscode p/.vscode/deep/d", "reverted names.vscode p/.vscode/settings.json"}},
      {"mv p/.vscode p/x; ln -s x p/.vscode",
       {"quarantined names.vscode p/.vscode", "reverted names.vscode p/.vscode/deep/d",
        "reverted names.vscode p/.vscode/settings.json"}},
      {"mv p q", {}},
      {"rm -r p", {}},
      {"mv p q; mkdir -p p/.vscode; echo evil > p/.vscode/settings.json",
       {"reverted names.vscode p/.vscode/deep/d", "reverted names.vscode p/.vscode/settings.json"}},
      {"echo more >> Makefile", {"later names.make Makefile"}},
      {"rm Makefile", {}},
  }));
  INFO(script);
  CHECK(lines_of(ws.command(script)) == expected);
  CHECK(lines_of(ws.tree().audit({})) == Lines{});
  CHECK(ws.slurp(".envrc") == "use\n");
  CHECK(std::filesystem::read_symlink(ws.workspace() / "t.pth") == "target");
  struct stat status;
  REQUIRE(::stat(ws.path(".envrc").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  if (ws.exists("p")) {
    CHECK(ws.slurp("p/.vscode/settings.json") == "{}\n");
    CHECK(ws.slurp("p/.vscode/deep/d") == "d\n");
  }
}

TEST_CASE("what the host changes before a command is accepted", "[sandbox]") {
  GuardedWorkspace ws("echo a > .envrc; mkdir -p .vscode sub");
  ws.run("echo b > .envrc; echo x > .vscode/x; echo > sub/.mcp.json; mkdir -p new/.vscode");
  REQUIRE(ws.tree().refresh());
  CHECK(lines_of(ws.command("echo hello > file")) == Lines{});
  CHECK(lines_of(ws.command("echo c > .envrc")) == Lines{"reverted names.envrc .envrc"});
  CHECK(ws.slurp(".envrc") == "b\n");
}

TEST_CASE("what changes under a read-only mount was not the command's doing", "[sandbox]") {
  GuardedWorkspace ws("echo a > .envrc; mkdir .vscode; echo a > .vscode/a");
  const std::vector<std::string> pinned = ws.tree().pins().read_only;
  REQUIRE(pinned.size() == 2);
  SECTION("edited in place and below") {
    CHECK(lines_of(ws.command("echo b > .envrc; echo b > .vscode/b; rm .vscode/a", pinned)) ==
          Lines{});
    CHECK(ws.slurp(".envrc") == "b\n");
  }
  SECTION("a rename over the mount point ends the mount: the audit is the fence again") {
    CHECK(lines_of(ws.command("echo b > x; mv x .envrc", pinned)) ==
          Lines{"reverted names.envrc .envrc"});
    CHECK(lines_of(ws.command("mv .vscode y; mkdir .vscode; echo > .vscode/b", pinned)) ==
          Lines{"quarantined names.vscode .vscode/b", "reverted names.vscode .vscode/a"});
  }
}

TEST_CASE("a file that was too large to keep is moved away when it changes", "[sandbox]") {
  GuardedWorkspace ws("head -c 400000 /dev/zero > .envrc");
  const AuditReport report = ws.command("echo >> .envrc");
  REQUIRE(lines_of(report) == Lines{"quarantined names.envrc .envrc"});
  CHECK(report.findings[0].detail.starts_with("changed by the command; what it was is not kept"));
}

TEST_CASE("nothing of ours is to be seen in the workspace after an audit", "[sandbox]") {
  GuardedWorkspace ws("echo a > .envrc; mkdir .vscode; echo a > .vscode/a");
  (void)ws.command("echo b > .envrc; rm -r .vscode; echo > .mcp.json");
  CHECK(ws.run("find . | sort") == ".\n./.envrc\n./.vscode\n./.vscode/a\n");
}
