#include "tools/edit/replace_file.hpp"

#include "runtime/base/unique_fd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

using namespace fathom;
using namespace fathom::tools;
namespace fs = std::filesystem;

namespace {

struct Folder {
  test::TempDir dir;
  UniqueFd fd{::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};

  [[nodiscard]] sandbox::Stamp stamp(const std::string& name) const {
    return sandbox::stamp_of(fd.get(), name).value();
  }
  Result<sandbox::Stamp> replace(const std::string& name, std::string_view text,
                                 const std::optional<sandbox::Stamp>& expected) const {
    const std::array<std::string_view, 2> pieces = {text.substr(0, 1), text.substr(1)};
    return replace_file(fd.get(), name, pieces, expected);
  }
  [[nodiscard]] std::size_t names() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir.path()), {}));
  }
};

void overwrite_in_place(const fs::path& path, std::string_view text) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file << text;
}

}  // namespace

TEST_CASE("the file that was read is replaced, and its mode stays", "[tools]") {
  const Folder folder;
  const fs::path path = folder.dir.write("a.sh", "old");
  ::chmod(path.c_str(), 04751);
  const auto after = folder.replace("a.sh", "new text", folder.stamp("a.sh")).value();
  CHECK(test::slurp(path) == "new text");
  CHECK(after == folder.stamp("a.sh"));
  CHECK(after.mode == 04751);
  CHECK(folder.names() == 1);
}

TEST_CASE("a file that was changed in place meanwhile is not replaced", "[tools]") {
  const Folder folder;
  const fs::path path = folder.dir.write("a", "old");
  const sandbox::Stamp seen = folder.stamp("a");
  overwrite_in_place(path, "host's text");
  CHECK(folder.replace("a", "new", seen).error().code == ErrorCode::in_use);
  CHECK(test::slurp(path) == "host's text");
  CHECK(folder.names() == 1);
}

TEST_CASE("a file that took the place of the one that was read is not replaced", "[tools]") {
  const Folder folder;
  folder.dir.write("a", "old");
  const sandbox::Stamp seen = folder.stamp("a");
  fs::rename(folder.dir.write("b", "old"), folder.dir / "a");
  CHECK(folder.replace("a", "new", seen).error().code == ErrorCode::in_use);
  CHECK(test::slurp(folder.dir / "a") == "old");
  CHECK(folder.names() == 1);
}

TEST_CASE("a new file replaces neither a file nor a link that came meanwhile", "[tools]") {
  const Folder folder;
  folder.dir.write("a", "theirs");
  fs::create_symlink("nowhere", folder.dir / "l");
  CHECK(folder.replace("a", "mine", std::nullopt).error().code == ErrorCode::in_use);
  CHECK(folder.replace("l", "mine", std::nullopt).error().code == ErrorCode::in_use);
  CHECK(test::slurp(folder.dir / "a") == "theirs");
  CHECK(fs::is_symlink(folder.dir / "l"));
  CHECK(folder.names() == 2);
  CHECK(folder.replace("b", "mine", std::nullopt));
  CHECK(test::slurp(folder.dir / "b") == "mine");
  CHECK(folder.names() == 3);
}

TEST_CASE("a file is removed only while it is the one that was read", "[tools]") {
  const Folder folder;
  const fs::path path = folder.dir.write("a", "old");
  const sandbox::Stamp seen = folder.stamp("a");
  overwrite_in_place(path, "host's text");
  CHECK(remove_file(folder.fd.get(), "a", seen).error().code == ErrorCode::in_use);
  CHECK(test::slurp(path) == "host's text");
  CHECK(remove_file(folder.fd.get(), "a", folder.stamp("a")));
  CHECK(folder.names() == 0);
}

TEST_CASE("user attributes of a replaced file stay", "[tools]") {
  const Folder folder;
  const fs::path path = folder.dir.write("a", "old");
  if (::setxattr(path.c_str(), "user.note", "kept", 4, 0) != 0) {
    test::skip("this file system takes no user attributes: that an edit keeps them is untested");
    return;
  }
  CHECK(folder.replace("a", "new", folder.stamp("a")));
  std::array<char, 8> value{};
  CHECK(::getxattr(path.c_str(), "user.note", value.data(), value.size()) == 4);
}
