#include "tests/sandbox/transaction/hand_made.hpp"

#include "tests/support/catch.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace fathom::test {

namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  REQUIRE(out.flush());
}

}  // namespace

HandMade::HandMade() : HandMade(fs::temp_directory_path()) {}

HandMade::HandMade(const fs::path& parent) : root_(parent) {
  fs::create_directory(work());
  options_.names = {{".vscode/", policies::Protection::deny, "filesystem.protected[0]"},
                    {"Makefile", policies::Protection::report, "filesystem.protected[1]"}};
}

fs::path HandMade::work(std::string_view path) const { return root_ / "work" / path; }
fs::path HandMade::layer(std::string_view path) const {
  return transaction_->folder() / "upper" / path;
}

void HandMade::lower(const std::string& path, std::string_view text) const {
  write(work(path), text);
}

void HandMade::begin() {
  const sandbox::Workspace workspace{work("").parent_path().string(), ::geteuid(), ::getegid()};
  auto begun = sandbox::Transaction::begin(state(), workspace);
  INFO((begun ? "" : begun.error().message));
  REQUIRE(begun);
  id_ = begun->id();
  transaction_ = std::make_unique<sandbox::Transaction>(*std::move(begun));
}

void HandMade::reopen() {
  transaction_.reset();
  auto opened = sandbox::Transaction::open(state(), id_, sandbox::Transaction::Use::exclusive);
  INFO((opened ? "" : opened.error().message));
  REQUIRE(opened);
  transaction_ = std::make_unique<sandbox::Transaction>(*std::move(opened));
}

void HandMade::wait_for_newer(const fs::path& path) const {
  for (;;) {
    struct stat status{};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    const std::int64_t ns = status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec;
    if (ns > transaction_->info().began_ns) return;
    REQUIRE(::chmod(path.c_str(), status.st_mode & 07777) == 0);
  }
}

void HandMade::host(const std::string& path, std::string_view text) const {
  write(work(path), text);
  wait_for_newer(work(path));
}

void HandMade::host_remove(const std::string& path) const {
  fs::remove_all(work(path));
  wait_for_newer(work(path).parent_path());
}

void HandMade::upper(const std::string& path, std::string_view text) const {
  write(layer(path), text);
}

void HandMade::upper_folder(const std::string& path) const { fs::create_directories(layer(path)); }

void HandMade::upper_link(const std::string& path, const std::string& target) const {
  fs::create_directories(layer(path).parent_path());
  fs::create_symlink(target, layer(path));
}

void HandMade::upper_mode(const std::string& path, unsigned mode) const {
  REQUIRE(::chmod(layer(path).c_str(), mode) == 0);
}

void HandMade::whiteout(const std::string& path) const {
  fs::create_directories(layer(path).parent_path());
  // Allowed to everybody: this one device is no device.
  REQUIRE(::mknod(layer(path).c_str(), S_IFCHR, makedev(0, 0)) == 0);
}

void HandMade::attribute(const std::string& path, const char* name, std::string_view value) const {
  REQUIRE(::setxattr(layer(path).c_str(), name, value.data(), value.size(), 0) == 0);
}

std::vector<sandbox::Change> HandMade::changes() const {
  auto changes = transaction_->changes(options_.names);
  INFO((changes ? "" : changes.error().message));
  REQUIRE(changes);
  return *std::move(changes);
}

std::vector<std::string> HandMade::lines() const {
  std::vector<std::string> lines;
  for (const sandbox::Change& change : changes()) lines.push_back(line_of(change));
  return lines;
}

sandbox::CommitReport HandMade::commit(const sandbox::CommitOptions& options) {
  auto report = transaction_->commit(options);
  INFO((report ? "" : report.error().message));
  REQUIRE(report);
  return *std::move(report);
}

std::string line_of(const sandbox::Change& change) {
  std::string line = std::string(name_of(change.kind)) + ' ' + std::string(name_of(change.type)) +
                     ' ' + change.path;
  if (change.fate != sandbox::Fate::applied)
    line += " (" + std::string(name_of(change.fate)) +
            (change.rule.empty() ? "" : ", " + change.rule) + ")";
  return line;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::string picture_of(const fs::path& root) {
  std::vector<std::string> lines;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    struct stat status{};
    REQUIRE(::lstat(entry.path().c_str(), &status) == 0);
    std::string line = entry.path().lexically_relative(root).string() + ' ' +
                       std::to_string(status.st_mode) + ' ' + std::to_string(status.st_uid) + ' ';
    if (entry.is_symlink())
      line += fs::read_symlink(entry.path()).string();
    else if (entry.is_regular_file())
      line += slurp(entry.path());
    lines.push_back(std::move(line));
  }
  std::ranges::sort(lines);
  std::string picture;
  for (const std::string& line : lines) picture += line + '\n';
  return picture;
}

}  // namespace fathom::test
