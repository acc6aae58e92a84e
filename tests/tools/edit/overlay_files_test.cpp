#include "tools/edit/overlay_files.hpp"

#include "sandbox/transaction.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/tools/shell/live_shell.hpp"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

using namespace fathom;
using namespace fathom::tools;
namespace fs = std::filesystem;

namespace {

// A workspace whose commands and editor share an overlay.
class Overlaid {
 public:
  explicit Overlaid(sandbox::Mode mode, uid_t owner = ::geteuid())
      : shell_([&](sandbox::LauncherOptions& options) {
          options.mode = mode;
          if (owner != ::geteuid()) {
            const std::string root = options.workspace.root;
            REQUIRE(::chown(root.c_str(), owner, owner) == 0);
            options.workspace = sandbox::open_workspace(root, options.host).value();
          }
          if (mode != sandbox::Mode::transaction) return;
          transaction_ = sandbox::Transaction::begin(options.state, options.workspace).value();
          options.transaction = transaction_->folder();
        }) {
    fs::create_directory(workspace() / "src");
    std::ofstream(workspace() / "src/a.txt") << "one\n";
    std::ofstream(workspace() / "src/b.txt") << "";
    fs::create_symlink("src/a.txt", workspace() / "link");
    fs::create_symlink("nowhere", workspace() / "dangling");
    (void)shell_.sh("true");  // opens the session
  }

  [[nodiscard]] fs::path workspace() const { return fs::canonical(shell_.workspace()); }
  std::string sh(const std::string& command) { return shell_.sh(command); }
  OverlayFiles& files() { return files_; }

  std::string read(const std::string& path) {
    const auto place = files_.resolve(path);
    if (!place) return place.error().message;
    const auto file = files_.read(*place, 1000);
    return file ? file->bytes : file.error().message;
  }
  Result<Written> write(const std::string& path, std::string_view bytes) {
    const ResolvedPath place = files_.resolve(path).value();
    std::optional<FileIdentity> expected;
    if (place.exists) expected = files_.read(place, 1000).value().identity;
    const std::array<std::string_view, 1> pieces = {bytes};
    return files_.write(place, pieces, expected);
  }
  Result<> remove(const std::string& path) {
    const ResolvedPath place = files_.resolve(path).value();
    return files_.remove(place, files_.read(place, 1000).value().identity);
  }

 private:
  std::optional<sandbox::Transaction> transaction_;
  test::LiveShell shell_;
  OverlayFiles files_{workspace().string(), {}, [this] { return shell_.commands().view(); }};
};

void check_both_ways(Overlaid& box) {
  // What a command wrote is read, and what was removed is not.
  CHECK(box.sh("echo new > b.txt; echo two > src/a.txt; mkdir d; mv src/a.txt d/c.txt").empty());
  CHECK(box.read("b.txt") == "new\n");
  CHECK(box.read("d/c.txt") == "two\n");
  CHECK_FALSE(box.files().resolve("src/a.txt")->exists);
  CHECK(box.read("link") == "link is a link to nothing");
  // What is written here a command sees at once, also where it has looked before.
  REQUIRE(box.write("b.txt", "from here\n"));
  REQUIRE(box.write("new/folder/x", "deep\n"));
  CHECK(box.sh("cat b.txt new/folder/x") == "from here\ndeep\n");
  CHECK(box.sh("test -O b.txt && test -O new/folder/x && echo mine") == "mine\n");
  CHECK(box.sh("echo more >> new/folder/x && cat new/folder/x") == "deep\nmore\n");
  REQUIRE(box.remove("b.txt"));
  CHECK(box.sh("test -e b.txt || echo gone") == "gone\n");
}

}  // namespace

TEST_CASE("editor and commands of a disposable session see each other's edits, the host none",
          "[tools][sandbox]") {
  Overlaid box(sandbox::Mode::disposable);
  check_both_ways(box);
  CHECK(test::slurp(box.workspace() / "src/a.txt") == "one\n");
  CHECK_FALSE(fs::exists(box.workspace() / "b.txt"));
  CHECK_FALSE(fs::exists(box.workspace() / "new"));
}

TEST_CASE("editor and commands of a transaction see each other's edits, the host none",
          "[tools][sandbox]") {
  Overlaid box(sandbox::Mode::transaction);
  check_both_ways(box);
  CHECK(test::slurp(box.workspace() / "src/a.txt") == "one\n");
  CHECK_FALSE(fs::exists(box.workspace() / "new"));
}

TEST_CASE("in somebody else's workspace root's editor acts as the session does",
          "[tools][sandbox]") {
  if (::geteuid() != 0) return test::skip("not root: a workspace of another user");
  Overlaid box(sandbox::Mode::transaction, 1000);
  check_both_ways(box);
}

TEST_CASE("a file of the workspace is edited through the overlay, by any of its names",
          "[tools][sandbox]") {
  Overlaid box(sandbox::Mode::transaction);
  const ResolvedPath place = box.files().resolve("link").value();
  CHECK(place.path == (box.workspace() / "src/a.txt").string());
  CHECK(place.shown == "src/a.txt");
  REQUIRE(box.write("link", "edited\n"));
  CHECK(box.sh("cat src/a.txt; ls src; readlink link") == "edited\na.txt\nb.txt\nsrc/a.txt\n");
  REQUIRE(box.write("src/a.txt", "again\n"));
  CHECK(box.read((box.workspace() / "src/a.txt").string()) == "again\n");
  CHECK(test::slurp(box.workspace() / "src/a.txt") == "one\n");
}

TEST_CASE("somebody else's edit in the overlay is not written over", "[tools][sandbox]") {
  Overlaid box(sandbox::Mode::transaction);
  const ResolvedPath place = box.files().resolve("src/a.txt").value();
  const FileIdentity seen = box.files().read(place, 1000).value().identity;
  CHECK(box.sh("echo theirs > src/a.txt").empty());
  const std::array<std::string_view, 1> pieces = {"mine\n"};
  const auto written = box.files().write(place, pieces, seen);
  REQUIRE_FALSE(written);
  CHECK(written.error().code == ErrorCode::in_use);
  CHECK(box.sh("cat src/a.txt") == "theirs\n");
}

TEST_CASE("links lead out of the overlay for the editor no more than for a command",
          "[tools][sandbox]") {
  Overlaid box(sandbox::Mode::disposable);
  CHECK(box.sh("ln -s /etc/passwd out; ln -s ../../etc up; ln -s src in; ln -s loop loop").empty());
  CHECK(box.files().resolve("out").error().message ==
        "out leads outside the workspace through a link");
  CHECK(box.files().resolve("up/passwd").error().code == ErrorCode::permission);
  CHECK(box.files().resolve("/etc/passwd").error().code == ErrorCode::permission);
  CHECK(box.files().resolve("loop").error().message == "more than 40 links");
  CHECK(box.files().resolve("dangling").error().code == ErrorCode::not_found);
  CHECK(box.files().resolve("in/new.txt").value().shown == "src/new.txt");
}

TEST_CASE("a folder of the overlay is listed merged", "[tools][sandbox]") {
  Overlaid box(sandbox::Mode::transaction);
  CHECK(box.sh("rm src/a.txt; echo > src/c.txt").empty());
  std::string names;
  const ResolvedPath folder = box.files().resolve("src").value();
  for (const ListedEntry& entry : box.files().list(folder, 100).value().entries)
    names += entry.name + " ";
  CHECK(names == "b.txt c.txt ");
}
