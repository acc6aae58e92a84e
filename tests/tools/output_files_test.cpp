#include "tools/output_files.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/tool.hpp"

#include <sys/stat.h>

using namespace fathom;
using namespace fathom::tools;
using test::TempDir;

TEST_CASE("a whole output becomes a private file and a blob", "[tools]") {
  const TempDir dir;
  const auto blobs = trace::BlobStore::open(dir / "blobs").value();
  OutputFiles files = OutputFiles::create(dir / "outputs", blobs).value();
  const auto kept = files.keep(ToolOutput::of("all of it\n").text).value();
  CHECK(test::slurp(kept.path) == "all of it\n");
  CHECK(blobs.read(kept.blob, 0, 100).value() == "all of it\n");
  struct ::stat info{};
  REQUIRE(::stat(kept.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("an output that was spilled is copied from its blob", "[tools]") {
  const TempDir dir;
  const auto blobs = trace::BlobStore::open(dir / "blobs").value();
  OutputFiles files = OutputFiles::create(dir / "outputs", blobs).value();
  const std::string whole(3'000'000, 'x');
  sandbox::CapturedOutput output;
  output.head = "x";
  output.tail = "x";
  output.bytes = whole.size();
  output.bytes_cut = whole.size() - 2;
  output.blob = blobs.put(whole).value().name;
  const auto kept = files.keep(output).value();
  CHECK(test::slurp(kept.path) == whole);
  CHECK(kept.blob == output.blob);
}

TEST_CASE("a blob that is gone is an error and not an empty file of the right name", "[tools]") {
  const TempDir dir;
  const auto blobs = trace::BlobStore::open(dir / "blobs").value();
  OutputFiles files = OutputFiles::create(dir / "outputs", blobs).value();
  sandbox::CapturedOutput output;
  output.blob = "sha256:" + std::string(64, '0');
  CHECK(files.keep(output).error().code == ErrorCode::not_found);
}
