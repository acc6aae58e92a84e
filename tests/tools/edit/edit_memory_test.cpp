#include "tools/edit/edit_memory.hpp"

#include "tests/support/catch.hpp"

using namespace fathom::tools;

namespace {

FileIdentity identity(std::uint64_t inode) {
  FileIdentity stamp;
  stamp.inode = inode;
  return stamp;
}

UndoStep step(std::uint64_t inode, std::string old_text = "old") {
  return {identity(inode), {0, 1, std::move(old_text)}, false};
}

}  // namespace

TEST_CASE("the last edit of a file is taken back first, then the one before", "[tools]") {
  EditMemory memory;
  const FileIdentity one = identity(1);
  const FileIdentity two = identity(2);
  memory.edited("/w/a", &one, step(2, "first"));
  memory.edited("/w/a", &two, step(3, "second"));
  memory.edited("/w/b", &one, step(9, "other"));
  REQUIRE(memory.last_edit("/w/a"));
  CHECK(memory.last_edit("/w/a")->inverse.text == "second");
  const FileIdentity restored = identity(4);
  memory.undone("/w/a", &restored);
  REQUIRE(memory.last_edit("/w/a"));
  CHECK(memory.last_edit("/w/a")->inverse.text == "first");
  CHECK(memory.last_edit("/w/a")->after == restored);
  memory.undone("/w/a", &restored);
  CHECK_FALSE(memory.last_edit("/w/a"));
  CHECK(memory.last_edit("/w/b"));
}

TEST_CASE("edits before somebody else's change cannot be taken back", "[tools]") {
  EditMemory memory;
  const FileIdentity before = identity(1);
  const FileIdentity changed = identity(7);
  memory.edited("/w/a", &before, step(2, "first"));
  memory.edited("/w/a", &changed, step(8, "second"));
  CHECK(memory.last_edit("/w/a")->inverse.text == "second");
  memory.undone("/w/a", &changed);
  CHECK_FALSE(memory.last_edit("/w/a"));
}

TEST_CASE("the oldest text is forgotten first, and its file is still known", "[tools]") {
  EditMemory memory;
  const auto text = std::make_shared<const std::string>(kSeenFileBytesMax, 'x');
  constexpr std::size_t kFiles = kSeenBytesMax / kSeenFileBytesMax;
  for (std::size_t i = 0; i <= kFiles; ++i)
    memory.saw("/w/" + std::to_string(i), {identity(i), text});
  CHECK_FALSE(memory.seen("/w/0")->bytes);
  CHECK(memory.seen("/w/0")->identity == identity(0));
  CHECK(memory.seen("/w/1")->bytes);
  memory.saw("/w/big",
             {identity(99), std::make_shared<const std::string>(kSeenFileBytesMax + 1, 'x')});
  CHECK_FALSE(memory.seen("/w/big")->bytes);
  CHECK(memory.seen("/w/1")->bytes);
}

TEST_CASE("the memory of a session is bounded in files and steps", "[tools]") {
  EditMemory memory;
  for (std::size_t i = 0; i <= kSeenFilesMax; ++i)
    memory.saw("/w/" + std::to_string(i), {identity(i), nullptr});
  CHECK_FALSE(memory.seen("/w/0"));
  CHECK(memory.seen("/w/1"));
  for (std::size_t i = 0; i <= kUndoStepsMax; ++i)
    memory.edited("/w/" + std::to_string(i), nullptr, step(i));
  CHECK_FALSE(memory.last_edit("/w/0"));
  CHECK(memory.last_edit("/w/1"));
  memory.edited("/w/huge", nullptr, step(5, std::string(kUndoBytesMax + 1, 'x')));
  CHECK_FALSE(memory.last_edit("/w/huge"));
  CHECK(memory.last_edit("/w/1"));  // the others do not pay for it
}
