#include "sandbox/quarantine.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>

using namespace fathom;
using sandbox::Quarantine;

namespace {

UniqueFd open_folder(const std::filesystem::path& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

TEST_CASE("what is quarantined is moved whole and never overwrites", "[sandbox]") {
  test::TempDir dir;
  std::filesystem::create_directory(dir / "q");
  dir.write("q/1-a", "of an earlier run");
  dir.write("ws/a", "one");
  dir.write("ws/odd\n\x1b name/x", "two");
  auto quarantine = Quarantine::open(dir / "q");
  REQUIRE(quarantine);
  const UniqueFd ws = open_folder(dir / "ws");
  CHECK(*quarantine->take(ws.get(), "a") == (dir / "q/2-a").string());
  CHECK(*quarantine->take(ws.get(), "odd\n\x1b name") == (dir / "q/3-odd___name").string());
  CHECK(test::slurp(dir / "q/1-a") == "of an earlier run");
  CHECK(test::slurp(dir / "q/2-a") == "one");
  CHECK(test::slurp(dir / "q/3-odd___name/x") == "two");
  CHECK(std::filesystem::is_empty(dir / "ws"));
  CHECK(quarantine->take(ws.get(), "a").error().code == ErrorCode::not_found);
}

TEST_CASE("a link is moved and not what it points to", "[sandbox]") {
  test::TempDir dir;
  std::filesystem::create_directory(dir / "q");
  dir.write("ws/target/x", "kept");
  std::filesystem::create_symlink("target", dir / "ws/link");
  auto quarantine = Quarantine::open(dir / "q");
  REQUIRE(quarantine);
  REQUIRE(quarantine->take(open_folder(dir / "ws").get(), "link"));
  CHECK(std::filesystem::is_symlink(dir / "q/1-link"));
  CHECK(test::slurp(dir / "ws/target/x") == "kept");
}

TEST_CASE("to another file system it is copied and then removed", "[sandbox]") {
  test::TempDir dir;
  struct stat here;
  struct stat there;
  REQUIRE(::stat(dir.path().c_str(), &here) == 0);
  if (::stat("/dev/shm", &there) != 0 || here.st_dev == there.st_dev)
    return test::skip("no second file system: quarantine across file systems was not tested");
  std::string shm = "/dev/shm/fathom-test-XXXXXX";
  REQUIRE(::mkdtemp(shm.data()) != nullptr);
  dir.write("ws/.vscode/a/b", "text");
  std::filesystem::create_symlink("/etc", dir / "ws/.vscode/link");
  REQUIRE(::mkfifo((dir / "ws/.vscode/fifo").c_str(), 0600) == 0);
  auto quarantine = Quarantine::open(shm);
  REQUIRE(quarantine);
  CHECK(*quarantine->take(open_folder(dir / "ws").get(), ".vscode") == shm + "/1-.vscode");
  CHECK(test::slurp(shm + "/1-.vscode/a/b") == "text");
  CHECK(std::filesystem::read_symlink(shm + "/1-.vscode/link") == "/etc");
  CHECK(std::filesystem::is_empty(dir / "ws"));
  std::filesystem::remove_all(shm);
}
