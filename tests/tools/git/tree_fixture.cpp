#include "tests/tools/git/tree_fixture.hpp"

#include "tests/support/run_program.hpp"

#include <fstream>
#include <stdexcept>

namespace fathom::tools::test {

namespace fs = std::filesystem;

std::map<std::string, std::string> tree_of(const fs::path& folder) {
  std::map<std::string, std::string> tree;
  for (auto at = fs::recursive_directory_iterator(folder); at != fs::recursive_directory_iterator();
       ++at) {
    if (at->path().filename() == ".git") {
      at.disable_recursion_pending();
      continue;
    }
    const auto mode = static_cast<unsigned>(at->symlink_status().permissions()) & 0777U;
    std::string text;
    for (const unsigned shift : {6U, 3U, 0U}) text += static_cast<char>('0' + (mode >> shift & 7U));
    if (at->is_symlink())
      text = "link -> " + fs::read_symlink(at->path()).string();
    else if (at->is_directory())
      text = "folder " + text;
    else
      text = "file " + text + " " + fathom::test::slurp(at->path());
    tree[at->path().lexically_relative(folder).string()] = text;
  }
  return tree;
}

std::string git(const fs::path& folder, std::vector<std::string> words) {
  std::vector<std::string> argv = {"git",
                                   "-C",
                                   folder.string(),
                                   "-c",
                                   "user.name=A U Thor",
                                   "-c",
                                   "user.email=author@example.com",
                                   "-c",
                                   "init.defaultBranch=main",
                                   "-c",
                                   "protocol.file.allow=always"};
  argv.insert(argv.end(), words.begin(), words.end());
  const auto result = fathom::test::run_program(
      argv,
      {.environment = {"PATH=/usr/bin:/bin", "HOME=/nonexistent",
                       "GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000"},
       .stdout_path = ""});
  if (result.exit_code > 1) throw std::runtime_error("git " + words.front() + ": " + result.err);
  return result.out;
}

std::string reasons(const RestoreReport& report) {
  std::string text;
  for (const NotRestored& one : report.not_restored) text += one.reason + "\n";
  return text;
}

void Workspace::write(std::string_view name, std::string_view bytes) const {
  fs::create_directories((root / name).parent_path());
  std::ofstream(root / name, std::ios::binary) << bytes;
}

std::string Workspace::read(std::string_view name) const {
  return fathom::test::slurp(root / name);
}

bool Workspace::has(std::string_view name) const {
  return fs::exists(fs::symlink_status(root / name));
}

Snapshots Workspace::snapshots(SnapshotBounds bounds) const {
  auto opened = Snapshots::open({state / "snapshots", root, bounds, {}});
  if (!opened) throw std::runtime_error(opened.error().message);
  return *std::move(opened);
}

}  // namespace fathom::tools::test
