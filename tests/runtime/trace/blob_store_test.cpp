#include "runtime/trace/blob_store.hpp"

#include "runtime/base/unique_fd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/file_size_limit.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>

#include <algorithm>
#include <random>

using namespace fathom;
using namespace fathom::trace;
using test::TempDir;

namespace {

std::string noise(std::size_t size) {
  std::mt19937_64 random(size);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

std::filesystem::path only_blob(const std::filesystem::path& dir) {
  std::filesystem::path found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (!entry.is_regular_file()) continue;
    CHECK(found.empty());
    found = entry.path();
  }
  return found;
}

}  // namespace

TEST_CASE("a blob is named by its SHA-256 and comes back whole or in ranges", "[runtime]") {
  const TempDir dir;
  const BlobStore store = BlobStore::open(dir / "blobs").value();
  // The digest of "abc" from FIPS 180-2.
  const BlobRef abc = store.put("abc").value();
  CHECK(abc ==
        BlobRef{"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 3});
  CHECK(store.contains(abc.name));
  CHECK(store.read(abc.name, 0, 100).value() == "abc");
  CHECK(store.read(abc.name, 1, 1).value() == "b");
  CHECK(store.read(abc.name, 3, 10).value().empty());
  CHECK(store.read(abc.name, 1000, 10).value().empty());

  for (const std::size_t size : {std::size_t{0}, std::size_t{131'072}, std::size_t{1'000'003}}) {
    for (const std::string& body : {noise(size), std::string(size, 'z')}) {
      const BlobRef ref = store.put(body).value();
      CHECK(ref.bytes == size);
      CHECK(store.read(ref.name, 0, size).value() == body);
      CHECK(store.read(ref.name, size / 3, size / 2).value() == body.substr(size / 3, size / 2));
    }
  }
}

TEST_CASE("a blob is copied to a descriptor, its beginning alone when that is asked for",
          "[runtime]") {
  const TempDir dir;
  const BlobStore store = BlobStore::open(dir / "blobs").value();
  const std::string bytes = noise(1'000'000);
  const BlobRef ref = store.put(bytes).value();
  for (const std::size_t most : {std::size_t{0}, std::size_t{777'777}, std::size_t{2'000'000}}) {
    const auto path = dir.write("copy", "");
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    CHECK(store.copy_to(ref.name, fd.get(), most).value() == std::min(most, bytes.size()));
    CHECK(test::slurp(path) == bytes.substr(0, most));
  }
  const UniqueFd closed;
  CHECK_FALSE(store.copy_to(ref.name, closed.get(), 1));
}

TEST_CASE("the same content is stored once and no temporary file stays", "[runtime]") {
  const TempDir dir;
  const BlobStore store = BlobStore::open(dir.path()).value();
  const BlobRef first = store.put("same").value();
  CHECK(store.put("same").value() == first);
  BlobWriter writer = store.writer().value();
  REQUIRE(writer.append("sa").has_value());
  REQUIRE(writer.append("me").has_value());
  CHECK(writer.finish().value() == first);
  {
    BlobWriter abandoned = store.writer().value();
  }
  CHECK(only_blob(dir.path()).extension() == ".zst");
}

TEST_CASE("a blob that lost a piece to a full disk is never published", "[runtime]") {
  const TempDir dir;
  const BlobStore store = BlobStore::open(dir.path()).value();
  const std::string body = noise(3'000'000);
  BlobWriter writer = store.writer().value();
  {
    const test::FileSizeLimit full(1'000'000);
    Result<> appended;
    for (std::size_t at = 0; at < body.size() && appended; at += 100'000)
      appended = writer.append(std::string_view(body).substr(at, 100'000));
    CHECK_FALSE(appended.has_value());
  }
  // There is room again, but the piece is gone.
  CHECK_FALSE(writer.finish().has_value());
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("a damaged blob is refused, whichever byte was hit or cut", "[runtime]") {
  const TempDir dir;
  const BlobStore store = BlobStore::open(dir.path()).value();
  const BlobRef ref = store.put("the quick brown fox jumps over the lazy dog").value();
  const std::filesystem::path path = only_blob(dir.path());
  const std::string good = test::slurp(path);
  const std::string name = std::filesystem::relative(path, dir.path()).string();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    dir.write(name, bad);
    const auto read = store.read(ref.name, 0, 100);
    if (read && *read != "the quick brown fox jumps over the lazy dog")
      FAIL("wrong bytes, byte " << i);
    dir.write(name, good.substr(0, i));
    REQUIRE_FALSE(store.read(ref.name, 0, 100).has_value());
  }
  dir.write(name, good + "x");
  CHECK_FALSE(store.read(ref.name, 0, 100).has_value());
  // An intact frame of other content under this name.
  store.put("other").value();
  dir.write(name,
            test::slurp(dir.path() / "d9" /
                        "298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa.zst"));
  const auto other = store.read(ref.name, 0, 100);
  REQUIRE_FALSE(other.has_value());
  CHECK(other.error().message.find("the bytes have another name") != std::string::npos);
  CHECK(other.error().message.find("delete " + path.string()) != std::string::npos);
}

TEST_CASE("names that are no blob's name never reach the file system", "[runtime]") {
  const TempDir dir;
  const BlobStore store = BlobStore::open(dir.path()).value();
  for (const std::string& name :
       {std::string("abc"), std::string("sha256:"), "sha256:" + std::string(64, 'G'),
        "sha256:../../" + std::string(58, 'a'), "sha256:" + std::string(63, 'a')}) {
    CHECK(store.read(name, 0, 1).error().code == ErrorCode::usage);
    CHECK_FALSE(store.contains(name));
  }
  CHECK(store.read("sha256:" + std::string(64, 'a'), 0, 1).error().code == ErrorCode::not_found);
}
