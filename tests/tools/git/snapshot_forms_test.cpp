#include "tests/support/catch.hpp"
#include "tools/git/snapshot_record.hpp"
#include "tools/git/snapshot_tree.hpp"
#include "tools/git/stat_cache.hpp"

namespace fathom::tools {
namespace {

ObjectId some_id(std::uint8_t first) {
  ObjectId id{};
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::uint8_t>(first + i);
  return id;
}

TEST_CASE("a tree reads back as it was written", "[tools][git]") {
  const std::vector<TreeEntry> entries = {{"a\nb", {NodeKind::file, 0600, some_id(1)}},
                                          {"f", {NodeKind::folder, 0750, some_id(2)}},
                                          {"l", {NodeKind::link, 0, some_id(3)}},
                                          {"\xff", {NodeKind::file, 0, some_id(4)}}};
  const auto read = decode_tree(encode_tree(entries));
  REQUIRE(read);
  CHECK(*read == entries);
  CHECK(decode_tree("")->empty());
}

TEST_CASE("a tree that names a way out is refused", "[tools][git]") {
  const auto tree = [](std::string name, std::string mode = "100644") {
    return mode + " " + name + std::string(1, '\0') + std::string(20, 'x');
  };
  CHECK(decode_tree(tree("a")));
  for (const std::string& bytes :
       {tree("."), tree(".."), tree(""), tree("a/b"), tree("/"), tree("b") + tree("a"),
        tree("a") + tree("a"), tree("a", "160000"), tree("a", "120777"), tree("a", "0100644"),
        tree("a", "10064x"), tree("a", ""), tree("a").substr(0, 20), std::string("100644 a")})
    CHECK_FALSE(decode_tree(bytes));
}

TEST_CASE("an object id is forty lower-case digits", "[tools][git]") {
  const ObjectId id = some_id(200);
  CHECK(*object_id_from_hex(to_hex(id)) == id);
  CHECK_FALSE(object_id_from_hex("abc"));
  CHECK_FALSE(object_id_from_hex(std::string(40, 'G')));
}

TEST_CASE("a stat cache reads back as it was written, or not at all", "[tools][git]") {
  StatCache cache;
  cache.looked_ns = 77;
  cache.files["a/b"] = {1, 2, 3, -4, 5, some_id(6)};
  cache.files[""] = {};
  cache.folders["a"] = some_id(7);
  const std::string bytes = encode_cache(cache);
  const auto read = decode_cache(bytes);
  REQUIRE(read);
  CHECK(*read == cache);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_cache(std::string_view(bytes).substr(0, size)));
  CHECK_FALSE(decode_cache(bytes + "x"));
}

TEST_CASE("a record reads back as it was written, names of any bytes too", "[tools][git]") {
  SnapshotRecord record;
  record.id.value.bytes[5] = 9;
  record.label = "run \xff \xc3\xa4 \"x\"\n";
  record.root = some_id(8);
  record.files = 3;
  record.bytes = 4'000'000'000;
  record.uncovered = {{"big\x80.bin", "larger than 16 MiB"}};
  record.complete = false;
  record.excludes = "*.o\n";
  record.git = {GitPresence::whole, "refs/heads/\xff", "c0ffee", "d1ce"};
  const auto read = decode_record(encode_record(record));
  REQUIRE(read);
  CHECK(*read == record);
  for (const std::string_view text : {"", "[]", "{}", "{\"id\":1}"})
    CHECK_FALSE(decode_record(text));
}

}  // namespace
}  // namespace fathom::tools
