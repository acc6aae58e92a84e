#include "runtime/base/file.hpp"

#include "runtime/base/unique_fd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>

using namespace fathom;
using test::TempDir;

TEST_CASE("a file is read whole up to its bound and refused beyond", "[runtime]") {
  const TempDir dir;
  const auto path = dir.write("f", std::string(100'000, 'x'));
  CHECK(read_file(path, 100'000).value().size() == 100'000);
  CHECK(read_file(path, 99'999).error() ==
        Error{ErrorCode::too_large, "read " + path.string() + ": larger than 99999 bytes"});
  CHECK(read_file(dir / "absent", 10).error().code == ErrorCode::not_found);
  CHECK(read_file("/proc/self/status", 1 << 20).value().starts_with("Name:"));
}

TEST_CASE("a pipe is read like a file", "[runtime]") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd reader(ends[0]);
  {
    const UniqueFd writer(ends[1]);
    REQUIRE(write_all(writer.get(), "from a shell", "the pipe"));
  }
  CHECK(read_file("/dev/fd/" + std::to_string(reader.get()), 100).value() == "from a shell");
}

TEST_CASE("an atomic write replaces the file and leaves nothing beside it", "[runtime]") {
  const TempDir dir;
  const auto path = dir.write("f", "old");
  REQUIRE(write_file_atomic(path, "new", Sync::yes).has_value());
  CHECK(test::slurp(path) == "new");
  const auto entries = std::distance(std::filesystem::directory_iterator(dir.path()), {});
  CHECK(entries == 1);
}

TEST_CASE("a failed atomic write keeps the old file and removes its temporary", "[runtime]") {
  const TempDir dir;
  // A folder with something in it cannot be replaced by a file.
  std::filesystem::create_directories(dir / "target/inside");
  const auto result = write_file_atomic(dir / "target", "new", Sync::no);
  CHECK_FALSE(result.has_value());
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("a full disk is reported as such", "[runtime]") {
  UNSCOPED_INFO("/dev/full answers every write with ENOSPC");
  const auto result = [] {
    struct File {
      FILE* file = ::fopen("/dev/full", "w");
      ~File() { ::fclose(file); }
    } const full;
    return write_all(::fileno(full.file), "x", "/dev/full");
  }();
  CHECK(result.error() == Error{ErrorCode::disk_full, "write /dev/full: No space left on device"});
}

TEST_CASE("state folders are private and a file in the way is named", "[runtime]") {
  const TempDir dir;
  REQUIRE(create_private_dirs(dir / "a/b/c").has_value());
  REQUIRE(create_private_dirs(dir / "a/b/c").has_value());
  struct stat info{};
  REQUIRE(::stat((dir / "a/b").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  dir.write("file", "");
  CHECK_FALSE(create_private_dirs(dir / "file").has_value());
  CHECK_FALSE(create_private_dirs(dir / "file/below").has_value());
}
