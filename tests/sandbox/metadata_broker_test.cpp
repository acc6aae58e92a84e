// Modes, owners, times and attributes on the container rung: a command changes those of its own
// files, and no others, in whatever form it asks.
#include "sandbox/metadata_broker.hpp"

#include "sandbox/without_capabilities.hpp"
#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

namespace fathom::sandbox {
namespace {

using test::SandboxFixture;

test::SandboxSetup in_container() {
  return {[](LauncherOptions& options) { options.rung = Rung::container; }};
}

Command calls(std::vector<std::string> words) {
  Command command;
  command.argv = {FATHOM_METADATA_CALLS};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  return command;
}

// A file of this user that no command may change, and what it was.
class OutsideFile {
 public:
  OutsideFile() : path_((folder_ / "file").string()) {
    folder_.write("file", "x");
    REQUIRE(::chmod(path_.c_str(), 0600) == 0);
    REQUIRE(::stat(path_.c_str(), &before_) == 0);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_untouched() const {
    struct stat now{};
    REQUIRE(::stat(path_.c_str(), &now) == 0);
    return now.st_mode == before_.st_mode && now.st_uid == before_.st_uid &&
           now.st_ctim.tv_sec == before_.st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == before_.st_ctim.tv_nsec;
  }

 private:
  test::TempDir folder_;
  std::string path_;
  struct stat before_{};
};

bool has_line(const std::string& text, const std::string& line) {
  std::istringstream lines(text);
  for (std::string one; std::getline(lines, one);)
    if (one == line) return true;
  return false;
}

std::size_t lines_with(const std::string& text, const std::string& ending) {
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string one; std::getline(lines, one);) count += one.ends_with(ending) ? 1 : 0;
  return count;
}

// Answers that are not about whose file it is.
constexpr std::size_t kFormsRefused = 2;  // setxattrat by the table, ioctl by its number

TEST_CASE("in the workspace every form of a metadata call works", "[sandbox]") {
  SandboxFixture box(in_container());
  REQUIRE(box.sh("echo x > file").exit_code == 0);
  const Outcome outcome = box.run(calls({"forms", "file"}));
  CHECK(outcome.rung == Rung::container);
  INFO(outcome.out.text());
  const std::string& out = outcome.out.text();
  CHECK(lines_with(out, ": ok") + kFormsRefused == lines_with(out, ""));
  CHECK(has_line(out, "setxattrat: ENOSYS"));
  CHECK(has_line(out, "ioctl: EPERM"));
  CHECK(outcome.denials.empty());
  struct stat now{};
  REQUIRE(::stat((box.workspace() + "/file").c_str(), &now) == 0);
  CHECK((now.st_mode & 07777) == 0640);
  CHECK(now.st_mtim.tv_sec == 3);
  CHECK(now.st_mtim.tv_nsec == 4);
}

TEST_CASE("outside every form of a metadata call is refused and named", "[sandbox]") {
  SandboxFixture box(in_container());
  // Of what may be read, so that it can be opened.
  const OutsideFile file;
  box.reopen([&](LauncherOptions& options) {
    options.policy.filesystem.grants.push_back({file.path(), policies::Access::read, "test"});
  });
  const Outcome outcome = box.run(calls({"forms", file.path()}));
  CHECK(outcome.rung == Rung::container);
  INFO(outcome.out.text());
  const std::string& out = outcome.out.text();
  CHECK(lines_with(out, ": EACCES") + kFormsRefused == lines_with(out, ""));
  CHECK(lines_with(out, "") > 20);
  CHECK(file.is_untouched());
  REQUIRE(outcome.denials.size() == 1);
  CHECK(outcome.denials.front().what == "change");
  CHECK(outcome.denials.front().target == file.path());
  CHECK(outcome.denials.front().count == lines_with(out, ": EACCES"));
}

TEST_CASE("no spelling of a path reaches the metadata of a file outside", "[sandbox]") {
  const OutsideFile file;
  const std::string folder = file.path().substr(0, file.path().find_last_of('/'));
  SandboxFixture box(in_container());
  const Outcome outcome =
      box.sh("ln -s " + file.path() + " link; ln -s " + folder + " folder; cd " + folder +
             " && chmod 777 file; cd - > /dev/null; chmod 777 link; chmod 777 folder/file; "
             "chmod 777 ../../../../../../.." +
             file.path() + "; chmod 777 /proc/self/root" + file.path() +
             "; touch -c -d 1970-01-01 " + file.path() + "; chmod 777 /proc/$$/root" + file.path() +
             "; chmod 777 /proc/$$/cwd/link; chown -h $(id -u) " + file.path() + "; chmod -R 777 " +
             folder + "; true");
  INFO(outcome.err.text());
  CHECK(outcome.rung == Rung::container);
  CHECK(file.is_untouched());
  CHECK(lines_with(outcome.err.text(), "Permission denied") +
            lines_with(outcome.err.text(), "Too many levels of symbolic links") >=
        10);
}

TEST_CASE("metadata of the host's devices is not a command's to change", "[sandbox]") {
  SandboxFixture box(in_container());
  struct stat before{};
  REQUIRE(::stat("/dev/null", &before) == 0);
  const Outcome outcome = box.sh("chmod 600 /dev/null; chmod 600 /dev/fd/1; true");
  struct stat after{};
  REQUIRE(::stat("/dev/null", &after) == 0);
  CHECK(after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
  CHECK(after.st_mode == before.st_mode);
  REQUIRE(outcome.denials.size() == 1);
  CHECK(outcome.denials.front().target == "/dev/null");
}

TEST_CASE("arguments that the kernel does not take get its own errors", "[sandbox]") {
  SandboxFixture box(in_container());
  REQUIRE(box.sh("echo x > file").exit_code == 0);
  const Outcome outcome = box.run(calls({"wrong", "file"}));
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.out.text() ==
        "path nowhere: EFAULT\npath null: EFAULT\npath empty: ENOENT\npath missing: ENOENT\n"
        "path below a file: ENOTDIR\nfolder closed: EBADF\nclosed: EBADF\nnegative: EBADF\n"
        "path only: EBADF\ntimes nowhere: EFAULT\ntimes late: EINVAL\ntimes of nothing: EFAULT\n"
        "flags: EINVAL\nname long: ERANGE\nname empty: ERANGE\nvalue large: E2BIG\n"
        "value nowhere: EFAULT\nattribute missing: ENODATA\nmemory file: ok\npipe: ok\n"
        "link itself: ok\nlink's mode: EOPNOTSUPP\nmode of a link, by the library: ok\n");
  CHECK(outcome.denials.empty());
}

TEST_CASE("a path that changes while it is checked changes nothing outside", "[sandbox]") {
  const OutsideFile file;
  SandboxFixture box(in_container());
  REQUIRE(box.sh("echo x > file").exit_code == 0);
  const std::string attack = GENERATE("memory", "links");
  const Outcome outcome = box.run(calls({attack, box.workspace() + "/file", file.path(), "5000"}));
  INFO(attack << ": " << outcome.out.text());
  CHECK(outcome.exit_code == 0);  // it changed the file inside at least once
  CHECK(outcome.rung == Rung::container);
  CHECK(file.is_untouched());
  CHECK(std::ranges::any_of(outcome.denials, [&](const Denial& denial) {
    return denial.what == "change" && denial.target == file.path();
  }));
}

TEST_CASE("a command of root borrows none of root's rights over files", "[sandbox]") {
  if (::getuid() != 0) return test::skip("not root: no capabilities were there to borrow");
  SandboxFixture box(in_container());
  REQUIRE(box.sh("echo x > theirs; echo x > ours").exit_code == 0);
  REQUIRE(::chown((box.workspace() + "/theirs").c_str(), 12345, 12345) == 0);
  const Outcome outcome = box.sh(
      "chmod 777 theirs; chown 12345 ours; chgrp 12345 ours; touch -d 1970-01-01 theirs; "
      "chmod 4755 ours; true");
  CHECK(outcome.rung == Rung::container);
  INFO(outcome.err.text());
  CHECK(lines_with(outcome.err.text(), "Operation not permitted") == 4);
  CHECK(lines_with(outcome.err.text(), "Permission denied") == 1);  // touch opens it first
  struct stat theirs{};
  struct stat ours{};
  REQUIRE(::stat((box.workspace() + "/theirs").c_str(), &theirs) == 0);
  REQUIRE(::stat((box.workspace() + "/ours").c_str(), &ours) == 0);
  CHECK((theirs.st_mode & 0777) == 0644);
  CHECK(ours.st_uid == 0);
  CHECK(ours.st_gid == 0);
  CHECK((ours.st_mode & 06000) == 0);
}

TEST_CASE("capabilities are back once nothing is done for a command any more", "[sandbox]") {
  if (::getuid() != 0) return test::skip("not root: no capabilities were there to lay down");
  const test::TempDir folder;
  folder.write("file", "x");
  const std::string path = (folder / "file").string();
  REQUIRE(::chown(path.c_str(), 12345, 12345) == 0);
  {
    const WithoutCapabilities none;
    REQUIRE(none.holds());
    CHECK(::chmod(path.c_str(), 0600) == -1);
  }
  CHECK(::chmod(path.c_str(), 0600) == 0);
}

TEST_CASE("copies and archives keep modes and times", "[sandbox]") {
  SandboxFixture box(in_container());
  const Outcome outcome = box.sh(
      "set -e; mkdir -p a/b; echo x > a/b/f; chmod 751 a/b/f; touch -d 2001-02-03 a/b/f; ln -s f "
      "a/b/l; cp -a a c; tar cf t.tar a; mkdir d; tar xpf t.tar -C d; install -m 700 a/b/f i; "
      "mktemp -d > /dev/null; for f in c/b/f d/a/b/f; do stat -c '%a %Y' $f; done; stat -c %a i;"
      "date -d 2001-02-03 +%s");
  INFO(outcome.err.text());
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.exit_code == 0);
  std::istringstream words(outcome.out.text());
  std::vector<std::string> all;
  for (std::string word; words >> word;) all.push_back(word);
  REQUIRE(all.size() == 6);
  const std::string& time = all.back();
  CHECK(all == std::vector<std::string>{"751", time, "751", time, "700", time});
  CHECK(outcome.denials.empty());
}

}  // namespace
}  // namespace fathom::sandbox
