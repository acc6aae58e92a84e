// Transactions with real overlays: what commands do in a session is what reaches the workspace.
#include "sandbox/transaction.hpp"
#include "tests/sandbox/guard/machine.hpp"
#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/sandbox/transaction/hand_made.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <random>

namespace fathom::sandbox {
namespace {

namespace fs = std::filesystem;
using test::SandboxFixture;

// A workspace, a session in a transaction of it, and what it changed.
class Edited {
 public:
  explicit Edited(const std::string& prepare) {
    box_.emplace(test::SandboxSetup{[&](LauncherOptions& options) {
      workspace_ = options.workspace.root;
      state_ = options.state;
      REQUIRE(test::run_program({"sh", "-c", "cd '" + workspace_ + "' && " + prepare}).exit_code ==
              0);
      auto looked = open_workspace(workspace_, options.host);
      REQUIRE(looked);
      options.workspace = *looked;
      auto begun = Transaction::begin(options.state, options.workspace);
      REQUIRE(begun);
      transaction_.emplace(*std::move(begun));
      options.mode = Mode::transaction;
      options.transaction = transaction_->folder();
      options_.names = options.policy.filesystem.protected_names;
    }});
  }

  std::string sh(const std::string& script) {
    const Outcome outcome = box_->sh(script);
    INFO(outcome.err.text() + outcome.evidence);
    REQUIRE(outcome.exit_code == 0);
    REQUIRE(outcome.ending == Ending::exited);
    return outcome.out.text();
  }

  std::vector<std::string> lines() {
    const auto changes = transaction_->changes(options_.names);
    REQUIRE(changes);
    std::vector<std::string> lines;
    for (const Change& change : *changes) lines.push_back(test::line_of(change));
    return lines;
  }

  CommitReport commit() {
    auto report = transaction_->commit(options_);
    INFO((report ? "" : report.error().message));
    REQUIRE(report);
    return *std::move(report);
  }

  std::string text(const std::string& path) const { return test::slurp(workspace_ + '/' + path); }
  std::string picture() const { return test::picture_of(workspace_); }
  bool has(const std::string& path) const {
    return fs::exists(fs::symlink_status(workspace_ + '/' + path));
  }
  const std::string& workspace() const { return workspace_; }
  Transaction& transaction() { return *transaction_; }

 private:
  std::string workspace_;
  std::string state_;
  CommitOptions options_;
  std::optional<Transaction> transaction_;
  std::optional<SandboxFixture> box_;
};

const char* const kTree =
    "mkdir -p d/sub && echo a > a && echo b > b && echo c > d/c && echo s > d/sub/s && "
    "echo x > x.sh && ln -s a link && ln b b2";

TEST_CASE("ordinary edits reach the workspace at commit, not before", "[sandbox][session]") {
  Edited box(kTree);
  const std::string before = box.picture();
  box.sh(
      "echo more >> a && rm d/c && mkdir -p n/m && echo n > n/m/f && chmod 755 x.sh && "
      "ln -sfn b link && ln a hard && echo b2 >> b2");
  CHECK(box.picture() == before);
  CHECK(box.lines() ==
        std::vector<std::string>{"modified file a", "modified file b2", "deleted file d/c",
                                 "added file hard", "modified link link", "added folder n",
                                 "added folder n/m", "added file n/m/f", "mode_changed file x.sh"});
  const CommitReport report = box.commit();
  CHECK(report.closed);
  CHECK(box.text("a") == "a\nmore\n");
  CHECK(box.text("hard") == "a\nmore\n");
  CHECK(box.text("b") == "b\n");
  CHECK(box.text("b2") == "b\nb2\n");
  CHECK(box.text("n/m/f") == "n\n");
  CHECK(fs::read_symlink(box.workspace() + "/link") == "b");
  CHECK_FALSE(box.has("d/c"));
  CHECK(fs::hard_link_count(box.workspace() + "/a") == 2);
  struct stat status{};
  REQUIRE(::stat((box.workspace() + "/n/m/f").c_str(), &status) == 0);
  CHECK(status.st_uid == ::geteuid());
}

TEST_CASE("a renamed folder, and folders and files in each other's place", "[sandbox][session]") {
  Edited box(kTree);
  box.sh(
      "mv d e && rm a && mkdir a && echo in > a/in && rm -r e/sub && echo file > e/sub && "
      "mv b bb && mv bb bbb");
  const CommitReport report = box.commit();
  CHECK(report.closed);
  CHECK(box.text("e/c") == "c\n");
  CHECK(box.text("e/sub") == "file\n");
  CHECK(box.text("a/in") == "in\n");
  CHECK(box.text("bbb") == "b\n");
  CHECK_FALSE(box.has("d"));
  CHECK_FALSE(box.has("b"));
}

TEST_CASE("a folder that became a file and a folder again is replaced", "[sandbox][session]") {
  Edited box(kTree);
  box.sh("rm -r d && echo f > d && rm d && mkdir d && echo new > d/new");
  CHECK(box.lines() ==
        std::vector<std::string>{"deleted file d/c", "added file d/new", "deleted folder d/sub"});
  CHECK(box.commit().closed);
  CHECK(box.text("d/new") == "new\n");
  CHECK_FALSE(box.has("d/c"));
  CHECK_FALSE(box.has("d/sub"));
}

TEST_CASE("later commands of the transaction see the earlier ones' edits", "[sandbox][session]") {
  Edited box(kTree);
  box.sh("echo first > new");
  CHECK(box.sh("cat new && rm new && ls") == "first\na\nb\nb2\nd\nlink\nx.sh\n");
  CHECK(box.lines().empty());
}

// Every name with type, bits, target and bytes, as find(1) sees it from either side.
const char* const kPicture =
    "find . -mindepth 1 \\( -type d -printf '%P %y %m\\n' -o -type l -printf '%P %y %l\\n' -o "
    "-type f -printf '%P %y %m ' -exec cksum {} \\; \\) | LC_ALL=C sort";

std::string random_script(std::uint64_t seed, int lines) {
  std::mt19937_64 random(seed);
  const auto pick = [&](std::size_t count) { return static_cast<std::size_t>(random() % count); };
  const std::array<const char*, 8> names = {"a", "b", "d", "d/a", "d/e", "d/e/a", "f", "f/d"};
  std::string script = "exec 2>/dev/null\n";
  for (int line = 0; line < lines; ++line) {
    const std::string one = names.at(pick(names.size()));
    const std::string two = names.at(pick(names.size()));
    switch (pick(8)) {
      case 0:
        script += "echo " + std::to_string(line) + " >> " + one;
        break;
      case 1:
        script += "mkdir -p " + one;
        break;
      case 2:
        script += "rm -rf " + one;
        break;
      case 3:
        script += "mv -T " + one + ' ' + two;
        break;
      case 4:
        script += "ln -sfn " + two + ' ' + one;
        break;
      case 5:
        script += "ln -f " + one + ' ' + two;
        break;
      case 6:
        script += "chmod " + std::string(pick(2) == 0 ? "700 " : "750 ") + one;
        break;
      default:
        script += "cp -r " + one + ' ' + two + ".copy";
        break;
    }
    script += '\n';
  }
  return script + "true\n";
}

TEST_CASE("whatever commands did, commit makes the workspace what they saw", "[sandbox][session]") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    const std::string before = random_script(seed + 1000, 20);
    const std::string script = random_script(seed, 40);
    INFO(before << "----\n" << script);
    Edited box("(" + before + ")");
    box.sh(script);
    const std::string inside = box.sh(kPicture);
    const CommitReport report = box.commit();
    for (const Unmade& step : report.unmade) UNSCOPED_INFO(step.path << ": " << step.reason);
    for (const Change& left : report.conflicts) UNSCOPED_INFO(left.path << ": " << left.reason);
    CHECK(report.closed);
    const auto outside =
        test::run_program({"sh", "-c", "cd '" + box.workspace() + "' && " + kPicture});
    CHECK(outside.out == inside);
  }
}

TEST_CASE("discard leaves the workspace byte for byte as it was", "[sandbox][session]") {
  Edited box(kTree);
  const std::string before = box.picture();
  box.sh("rm -r d && echo x > a && mkdir -p p/q && echo x > p/q/r && chmod 0 p && mkfifo f");
  REQUIRE(box.transaction().discard(Transaction::Interrupted::refuse));
  CHECK(box.picture() == before);
}

TEST_CASE("host edits of the same file conflict, of another file do not", "[sandbox][session]") {
  Edited box(kTree);
  box.sh("echo mine > a && echo mine > b");
  const auto host_edit = [&](const char* name) {
    struct stat status{};
    do {
      REQUIRE(
          test::run_program({"sh", "-c", "echo theirs > '" + box.workspace() + "/" + name + "'"})
              .exit_code == 0);
      REQUIRE(::stat((box.workspace() + '/' + name).c_str(), &status) == 0);
    } while (status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec <=
             box.transaction().info().began_ns);
  };
  host_edit("d/c");
  CHECK(box.lines() == std::vector<std::string>{"modified file a", "modified file b"});
  host_edit("a");
  const CommitReport report = box.commit();
  CHECK(report.stopped);
  REQUIRE(report.conflicts.size() == 1);
  CHECK(report.conflicts.front().path == "a");
  CHECK(box.text("a") == "theirs\n");
  CHECK(box.text("b") == "b\n");
}

const char* const kRepository =
    "git init -q . && git config user.name a && git config user.email a@b && echo a > a && "
    "git add a && git commit -q -m first";

TEST_CASE("a git commit made inside arrives whole, a hook written inside does not",
          "[sandbox][session]") {
  if (!test::has_git()) return;
  Edited box(kRepository);
  box.sh(
      "echo b > b && git add b && git commit -q -m second && git checkout -q -b other && "
      "echo c > c && git add c && git commit -q -m third && git gc -q && "
      "printf '#!/bin/sh\\ntouch /tmp/evil' > .git/hooks/post-commit && "
      "chmod +x .git/hooks/post-commit && git config core.fsmonitor /tmp/evil");
  const CommitReport report = box.commit();
  CHECK_FALSE(report.stopped);
  CHECK(report.unmade.empty());
  CHECK(report.withheld.size() == 2);
  CHECK_FALSE(box.has(".git/hooks/post-commit"));
  CHECK(box.text(".git/config").find("fsmonitor") == std::string::npos);
  const auto git = [&](const std::string& command) {
    const auto result =
        test::run_program({"sh", "-c", "cd '" + box.workspace() + "' && git " + command});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return result.out;
  };
  CHECK(git("log --format=%s") == "third\nsecond\nfirst\n");
  CHECK(git("branch --show-current") == "other\n");
  CHECK(git("status --porcelain").empty());
  CHECK(git("fsck --strict").empty());
}

TEST_CASE("a repository made inside arrives and works", "[sandbox][session]") {
  if (!test::has_git()) return;
  Edited box("true");
  box.sh(
      "git init -q new && cd new && echo a > a && git add a && "
      "git -c user.name=a -c user.email=a@b commit -q -m only");
  CHECK(box.commit().closed);
  const auto log = test::run_program(
      {"sh", "-c", "cd '" + box.workspace() + "/new' && git log --format=%s && git status -s"});
  CHECK(log.out == "only\n");
}

TEST_CASE("root in a user's folder: the session is the user, and so is what is committed",
          "[sandbox]") {
  if (::geteuid() != 0) return;  // others have folders of their own only
  Edited box("echo a > a && mkdir d && chown -R 65534:65534 . && chmod 755 ..");
  box.sh("echo more >> a && echo n > d/n && rm -r d && mkdir d && echo m > d/m");
  CHECK(box.commit().closed);
  CHECK(box.text("a") == "a\nmore\n");
  for (const char* path : {"/a", "/d", "/d/m"}) {
    struct stat status{};
    REQUIRE(::lstat((box.workspace() + path).c_str(), &status) == 0);
    CHECK(status.st_uid == 65534);
  }
}

TEST_CASE("where there are no mounts, transaction mode is refused and says why", "[sandbox]") {
  SandboxFixture box({[](LauncherOptions& options) {
    options.rung = Rung::container;
    options.mode = Mode::transaction;
  }});
  const Result<> opened = box.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::unsupported);
  CHECK(opened.error().message.starts_with(
      "sandbox: mode transaction needs overlayfs in a user namespace, which did not work"));
}

TEST_CASE("all of it holds for an ordinary user too", "[sandbox]") {
  if (::geteuid() != 0) return;  // then every test here has run as one
  const test::TempDir dir;
  fs::permissions(dir.path(), fs::perms::owner_all | fs::perms::others_read |
                                  fs::perms::others_exec | fs::perms::group_read |
                                  fs::perms::group_exec);
  fs::copy_file("/proc/self/exe", dir / "tests");  // the build may be root's alone
  const auto result = test::run_program({"setpriv", "--reuid=65534", "--regid=65534",
                                         "--clear-groups", (dir / "tests").string(), "[sandbox]"});
  INFO(result.out);
  CHECK(result.exit_code == 0);
  CHECK(result.out.find("All tests passed") != std::string::npos);
}

}  // namespace
}  // namespace fathom::sandbox
