// Secrets that appear, or lose their cover, while a session is open.
#include "sandbox/hidden_paths.hpp"

#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <filesystem>
#include <fstream>

namespace fathom::sandbox {
namespace {

namespace fs = std::filesystem;
using policies::Access;
using test::SandboxFixture;

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

// A workspace whose .env and keys/ are hidden, and neither is there yet.
test::SandboxSetup hiding(std::vector<std::string> names, std::optional<Rung> rung = {}) {
  return {[names, rung](LauncherOptions& options) {
    for (const std::string& name : names)
      options.policy.filesystem.grants.push_back(
          {options.workspace.root + "/" + name, Access::hidden, "test.hidden"});
    options.rung = rung;
  }};
}

TEST_CASE("a hidden file that appears during a session is hidden from the next command",
          "[sandbox]") {
  SandboxFixture box(hiding({".env", "keys"}));
  CHECK(box.sh("cat .env keys/id 2>/dev/null; echo end").out.text() == "end\n");
  write(box.workspace() + "/.env", "SECRET\n");
  write(box.workspace() + "/keys/id", "SECRET\n");
  for (int again = 0; again < 3; ++again) {
    const Outcome outcome = box.sh("cat .env keys/id 2>/dev/null; ls -A keys; echo end");
    CHECK(outcome.out.text() == "end\n");
  }
  CHECK(box.sh("(echo lost > .env) 2>/dev/null; (echo lost > keys/new) 2>/dev/null; ls keys")
            .out.text()
            .empty());
  CHECK(test::slurp(box.workspace() + "/.env") == "SECRET\n");
  const std::string path = fs::canonical(box.workspace()).string() + "/.env";
  const Outcome named = box.sh("grep SECRET " + path);
  REQUIRE(named.denials.size() == 1);
  CHECK(named.denials.front().target == path);
  fs::remove(box.workspace() + "/.env");
  fs::remove_all(box.workspace() + "/keys");
  CHECK(box.sh("ls -A").out.text().empty());
}

TEST_CASE("a hidden file that the host replaces stays hidden", "[sandbox]") {
  SandboxFixture box(hiding({".env", "link"}));
  write(box.workspace() + "/.env", "OLD\n");
  CHECK(box.sh("cat .env").out.text().empty());
  write(box.workspace() + "/.env.new", "SECRET\n");
  fs::rename(box.workspace() + "/.env.new", box.workspace() + "/.env");
  CHECK(box.sh("cat .env").out.text().empty());
  write(box.workspace() + "/elsewhere", "SECRET\n");
  fs::create_symlink("elsewhere", box.workspace() + "/link");
  CHECK(box.sh("cat link elsewhere").out.text().empty());
}

TEST_CASE("a hidden file that is renamed and linked back, and so loses its cover, stays hidden",
          "[sandbox]") {
  SandboxFixture box(hiding({".env"}));
  write(box.workspace() + "/.env", "SECRET\n");
  CHECK(box.sh("cat .env").out.text().empty());
  fs::rename(box.workspace() + "/.env", box.workspace() + "/.env.old");
  fs::create_hard_link(box.workspace() + "/.env.old", box.workspace() + "/.env");
  fs::remove(box.workspace() + "/.env.old");
  CHECK(box.sh("cat .env").out.text().empty());
  // Changed under its cover: covered twice.
  std::ofstream(box.workspace() + "/.env", std::ios::app) << "MORE\n";
  CHECK(box.sh("cat .env; (echo lost > .env) 2>/dev/null").out.text().empty());
  CHECK(test::slurp(box.workspace() + "/.env") == "SECRET\nMORE\n");
}

TEST_CASE("a secret that appears in a home which is shown is hidden from the next command",
          "[sandbox]") {
  SandboxFixture box({[](LauncherOptions& options) {
    options.policy.filesystem.home = Access::read;
    options.policy.filesystem.grants.push_back(
        {options.host.home + "/.aws", Access::hidden, "test.hidden"});
  }});
  const std::string read = "cat " + box.home() + "/.aws/credentials 2>/dev/null; echo end";
  CHECK(box.sh(read).out.text() == "end\n");
  write(box.home() + "/.aws/credentials", "SECRET\n");
  CHECK(box.sh(read).out.text() == "end\n");
}

TEST_CASE("without mounts a hidden file that appears closes the session's rules over it",
          "[sandbox]") {
  SandboxFixture box(hiding({".env"}, Rung::container));
  write(box.workspace() + "/file", "mine\n");
  CHECK(box.sh("cat .env file 2>/dev/null").out.text() == "mine\n");
  write(box.workspace() + "/.env", "SECRET\n");
  const Outcome outcome = box.sh("cat .env file 2>/dev/null");
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.out.text() == "mine\n");
}

TEST_CASE("without mounts nothing starts while others run that could read what has appeared",
          "[sandbox]") {
  SandboxFixture box(hiding({".env"}, Rung::container));
  REQUIRE(box.sh("true").exit_code == 0);
  bool written = false;
  Outcome second;
  Command first = test::shell_command("echo up; cat fifo");
  REQUIRE(box.sh("mkfifo fifo").exit_code == 0);
  const std::string workspace = box.workspace();
  Command late = test::shell_command("cat .env");
  asio::co_spawn(
      box.io(),
      [](SandboxFixture& in, Command& what, Outcome& into, bool& ready,
         std::string folder) -> asio::awaitable<void> {
        while (!ready) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        write(folder + "/.env", "SECRET\n");
        into = co_await in.launcher().run(std::move(what));
        std::ofstream(folder + "/fifo") << "go\n";
      }(box, late, second, written, workspace),
      [](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);
      });
  first.on_output = [&](OutputStream, std::string_view) { written = true; };
  CHECK(box.run(first).out.text() == "up\ngo\n");
  CHECK(second.ending == Ending::not_started);
  CHECK(second.evidence.find(".env, which the policy hides, has appeared") != std::string::npos);
  CHECK(box.sh("cat .env 2>/dev/null; echo end").out.text() == "end\n");
}

TEST_CASE("a hidden folder that holds what is shown and is replaced ends the session's use",
          "[sandbox]") {
  test::TempDir root;
  fs::create_directories(root / "homes/user/work");
  policies::Policy policy;
  policy.filesystem.grants = {{(root / "homes").string(), Access::hidden, ""}};
  HostFacts host;
  host.uid = 1000;
  const Workspace workspace{(root / "homes/user/work").string(), 1000, 1000};
  const CompileInput input{policy, host, workspace};
  const auto entries = view_entries(input, look_at_path);
  REQUIRE(entries);
  const HiddenPaths hidden(input, *entries);
  REQUIRE(hidden.uncovered());
  CHECK(hidden.uncovered()->empty());
  fs::create_directories(root / "homes/other");  // changes the folder, which keeps its cover
  CHECK(hidden.uncovered()->empty());
  fs::rename(root / "homes", root / "moved");
  CHECK(hidden.uncovered()->empty());  // nothing there, nothing to see
  fs::create_directories(root / "homes/user");
  const auto replaced = hidden.uncovered();
  REQUIRE_FALSE(replaced);
  CHECK(replaced.error().message.find("open a new session") != std::string::npos);
}

}  // namespace
}  // namespace fathom::sandbox
