#include "tools/edit/workspace_files.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/edit/edit_match.hpp"
#include "tools/edit/folder_view.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <future>
#include <stdexcept>

using namespace fathom;
using namespace fathom::tools;
namespace fs = std::filesystem;

namespace {

struct Bench {
  test::TempDir outer;
  fs::path root = fs::canonical(outer.path()) / "ws";
  fs::path outputs = fs::canonical(outer.path()) / "outputs";
  std::unique_ptr<HostFiles> files;

  Bench() {
    fs::create_directories(root);
    files = HostFiles::create(root, {outputs}).value();
  }
  void write(const std::string& name, std::string_view text) const {
    outer.write("ws/" + name, text);
  }
  [[nodiscard]] Error refusal(std::string_view path) const { return files->resolve(path).error(); }
  [[nodiscard]] Result<Written> put(std::string_view path, std::string_view text) const {
    const ResolvedPath place = files->resolve(path).value();
    std::optional<FileIdentity> expected;
    if (place.exists) expected = files->read(place, 1000).value().identity;
    const std::array<std::string_view, 1> pieces = {text};
    return files->write(place, pieces, expected);
  }
};

}  // namespace

TEST_CASE("a path of the workspace may be relative, absolute or roundabout", "[tools]") {
  const Bench bench;
  bench.write("src/a.cpp", "x");
  const ResolvedPath place = bench.files->resolve("src/a.cpp").value();
  CHECK(place.path == (bench.root / "src/a.cpp").string());
  CHECK(place.shown == "src/a.cpp");
  CHECK(place.exists);
  CHECK(place.type == sandbox::FileType::regular);
  CHECK(bench.files->resolve(place.path)->shown == "src/a.cpp");
  CHECK(bench.files->resolve("src/../src/./a.cpp")->shown == "src/a.cpp");
  CHECK(bench.files->resolve(".")->shown == ".");
  CHECK(bench.files->resolve("src/")->type == sandbox::FileType::directory);
  CHECK_FALSE(bench.files->resolve("new/b.cpp")->exists);
}

TEST_CASE("a path outside is refused, by whatever way it leads there", "[tools]") {
  const Bench bench;
  bench.outer.write("secret", "s");
  fs::create_symlink("../secret", bench.root / "link");
  fs::create_symlink("..", bench.root / "up");
  fs::create_symlink("gone", bench.root / "dangling");
  fs::create_symlink("loop", bench.root / "loop");
  CHECK(bench.refusal("../secret").message ==
        "../secret is outside the workspace " + bench.root.string());
  CHECK(bench.refusal("/etc/passwd").code == ErrorCode::permission);
  CHECK(bench.refusal("missing/../../secret").code == ErrorCode::permission);
  CHECK(bench.refusal(bench.root.string() + "x/a").code == ErrorCode::permission);
  CHECK(bench.refusal("link").message == "link leads outside the workspace through a link");
  CHECK(bench.refusal("up/new").message == "up/new leads outside the workspace through a link");
  CHECK(bench.refusal("dangling").message == "dangling is a link to nothing");
  CHECK_FALSE(bench.files->resolve("loop"));
  CHECK(bench.refusal("").code == ErrorCode::usage);
  CHECK(bench.refusal(std::string("a\0b", 3)).code == ErrorCode::usage);
  CHECK(bench.refusal(std::string(5000, 'a')).code == ErrorCode::usage);
}

TEST_CASE("writing through a link edits its target and leaves the link", "[tools]") {
  const Bench bench;
  bench.write("real/a", "old");
  fs::create_symlink("real/a", bench.root / "link");
  fs::create_symlink(bench.root / "real", bench.root / "folder");
  CHECK(bench.files->resolve("link")->shown == "real/a");
  CHECK(bench.put("link", "new"));
  CHECK(fs::is_symlink(bench.root / "link"));
  CHECK(test::slurp(bench.root / "real/a") == "new");
  CHECK(bench.put("folder/a", "newer"));
  CHECK(test::slurp(bench.root / "real/a") == "newer");
}

TEST_CASE("a folder that becomes a link after the decision leads nowhere", "[tools]") {
  const Bench bench;
  bench.write("src/a", "mine");
  bench.outer.write("elsewhere/a", "theirs");
  const ResolvedPath place = bench.files->resolve("src/a").value();
  const FileBytes read = bench.files->read(place, 1000).value();
  const ResolvedPath fresh = bench.files->resolve("src/new").value();
  fs::rename(bench.root / "src", bench.root / "moved");
  fs::create_symlink("../elsewhere", bench.root / "src");
  const std::array<std::string_view, 1> pieces = {"evil"};
  CHECK_FALSE(bench.files->read(place, 1000));
  CHECK_FALSE(bench.files->write(place, pieces, read.identity));
  CHECK_FALSE(bench.files->write(fresh, pieces, std::nullopt));
  CHECK_FALSE(bench.files->remove(place, read.identity));
  CHECK(test::slurp(bench.outer.path() / "elsewhere/a") == "theirs");
  CHECK_FALSE(fs::exists(bench.outer.path() / "elsewhere/new"));
}

TEST_CASE("folders of outputs may be read and not written", "[tools]") {
  const Bench bench;
  bench.outer.write("outputs/1.txt", "whole output");
  const ResolvedPath place = bench.files->resolve((bench.outputs / "1.txt").string()).value();
  CHECK_FALSE(place.in_workspace);
  const FileBytes read = bench.files->read(place, 1000).value();
  CHECK(read.bytes == "whole output");
  const std::array<std::string_view, 1> pieces = {"x"};
  CHECK(bench.files->write(place, pieces, read.identity).error().code == ErrorCode::permission);
  CHECK_FALSE(bench.files->resolve((bench.outputs / "../secret").string()));
}

TEST_CASE("of two sessions that edit one file neither loses an edit of the other", "[tools]") {
  const Bench bench;
  bench.write("a", "left=0 right=0\n");
  constexpr int kEdits = 60;
  const auto count_up = [&](const std::string& name) {
    const auto files = HostFiles::create(bench.root, {}).value();
    const ResolvedPath place = files->resolve("a").value();
    for (int done = 0; done < kEdits;) {
      const auto file = files->read(place, 1000);
      if (!file) continue;  // it changed while it was read
      const std::string was = name + "=" + std::to_string(done) + (name == "left" ? " " : "\n");
      const std::string will = name + "=" + std::to_string(done + 1) + was.back();
      const auto splice = plan_replace(file->bytes, was, will);
      if (!splice) throw std::runtime_error("an edit was lost: " + file->bytes);
      const std::string after = spliced(file->bytes, *splice);
      const std::array<std::string_view, 1> pieces = {after};
      if (files->write(place, pieces, file->identity)) ++done;
    }
  };
  auto left = std::async(std::launch::async, count_up, "left");
  auto right = std::async(std::launch::async, count_up, "right");
  left.get();
  right.get();
  CHECK(test::slurp(bench.root / "a") == "left=60 right=60\n");
  CHECK(std::distance(fs::directory_iterator(bench.root), {}) == 1);
}

TEST_CASE("a file beyond the bound is refused by its size, without reading it", "[tools]") {
  const Bench bench;
  bench.write("big", "");
  fs::resize_file(bench.root / "big", 5'000'000'000);
  const Error error = bench.files->read(bench.files->resolve("big").value(), 1 << 20).error();
  CHECK(error.code == ErrorCode::too_large);
  CHECK(error.message ==
        "the file has 4.7 GiB, more than the 1.0 MiB that are edited at most: use sed");
}

TEST_CASE("what is no regular file is refused without waiting for it", "[tools]") {
  const Bench bench;
  ::mkfifo((bench.root / "pipe").c_str(), 0600);
  CHECK(bench.files->read(bench.files->resolve("pipe").value(), 10).error().message ==
        "it is no regular file (a device, socket or pipe)");
  CHECK(bench.files->read(bench.files->resolve(".").value(), 10).error().message ==
        "it is a folder");
}

TEST_CASE("a read-only file is not edited, even by root", "[tools]") {
  const Bench bench;
  bench.write("a", "old");
  fs::permissions(bench.root / "a", fs::perms{0444});
  CHECK(bench.put("a", "new").error().message ==
        "the file is read-only: chmod u+w it first if it is meant to be edited");
  CHECK(test::slurp(bench.root / "a") == "old");
}

TEST_CASE("other names of a file keep its old bytes", "[tools]") {
  const Bench bench;
  bench.write("a", "old");
  fs::create_hard_link(bench.root / "a", bench.outer.path() / "store");
  CHECK(bench.put("a", "new")->left_other_names);
  CHECK(test::slurp(bench.outer.path() / "store") == "old");
  CHECK_FALSE(bench.put("a", "newer")->left_other_names);
}

TEST_CASE("a new file brings its folders with it", "[tools]") {
  const Bench bench;
  CHECK(bench.put("a/b/c.txt", "x"));
  CHECK(test::slurp(bench.root / "a/b/c.txt") == "x");
  std::string deep;
  for (int i = 0; i < 70; ++i) deep += "d/";
  CHECK(bench.put(deep + "f", "x").error().code == ErrorCode::too_large);
}

TEST_CASE("the owner of a file stays when root edits it", "[tools]") {
  if (::geteuid() != 0) {
    SUCCEED("only root can give files away");
    return;
  }
  const Bench bench;
  bench.write("a", "old");
  REQUIRE(::chown((bench.root / "a").c_str(), 1234, 2345) == 0);
  const FileIdentity after = bench.put("a", "new")->identity;
  CHECK(after.uid == 1234);
  CHECK(after.gid == 2345);
}

TEST_CASE("a folder is shown two levels deep, in order, without what nobody reads", "[tools]") {
  const Bench bench;
  for (const char* name : {"src/b.cpp", "src/a.cpp", "src/deep/x.cpp", ".git/HEAD", ".git/config",
                           "node_modules/left/index.js", "README.md", ".gitignore"})
    bench.write(name, "x");
  fs::create_symlink("src", bench.root / "link");
  const FolderView view = view_folder(*bench.files, bench.files->resolve(".").value()).value();
  CHECK(view.text ==
        ".git/ (2 entries, not shown)\n.gitignore\nREADME.md\nlink@\n"
        "node_modules/ (1 entry, not shown)\nsrc/\nsrc/a.cpp\nsrc/b.cpp\nsrc/deep/\n");
  CHECK_FALSE(view.cut);
}

TEST_CASE("a folder of thousands is shown in part and counted", "[tools]") {
  const Bench bench;
  for (int i = 0; i < 600; ++i) bench.write("many/" + std::to_string(i), "");
  const FolderView root = view_folder(*bench.files, bench.files->resolve(".").value()).value();
  CHECK(root.text.ends_with("many/… (600 entries, 100 shown)\n"));
  CHECK(root.entries == 102);
  const FolderView many = view_folder(*bench.files, bench.files->resolve("many").value()).value();
  CHECK(many.entries == kFolderLinesMax);
  CHECK(many.cut);
}
