#include "sandbox/commit_plan.hpp"

#include "sandbox/transaction_record.hpp"
#include "tests/support/catch.hpp"

namespace fathom::sandbox {
namespace {

Change change(ChangeKind kind, FileType type, std::string path) {
  Change made;
  made.kind = kind;
  made.type = type;
  made.path = std::move(path);
  made.mode = 0755;
  if (kind != ChangeKind::added) made.before = Stamp{.type = type, .inode = 7};
  return made;
}

TEST_CASE("a commit makes folders top-down, objects before refs, removals deepest first") {
  Change object = change(ChangeKind::added, FileType::regular, ".git/objects/ab/c");
  object.objects_first = true;
  Change link = change(ChangeKind::added, FileType::symlink, "n/link");
  link.text = "target";
  Change withheld = change(ChangeKind::added, FileType::regular, "withheld");
  withheld.fate = Fate::withheld;
  Change conflict = change(ChangeKind::added, FileType::regular, "conflict");
  conflict.fate = Fate::conflict;
  const std::vector<Step> steps = plan_commit(
      {change(ChangeKind::modified, FileType::regular, ".git/HEAD"), object,
       change(ChangeKind::deleted, FileType::directory, "a"),
       change(ChangeKind::deleted, FileType::regular, "a/b"),
       change(ChangeKind::added, FileType::directory, "n"),
       change(ChangeKind::added, FileType::directory, "n/m"), link, withheld, conflict});
  std::string order;
  for (const Step& step : steps)
    order += std::to_string(static_cast<int>(step.kind)) + step.path + ' ';
  CHECK(order == "0n 0n/m 1.git/objects/ab/c 1.git/HEAD 3n/link 4a/b 4a 5n/m 5n ");
}

TEST_CASE("a journal reads back as written, and no part of one is taken for a whole") {
  Step first{StepKind::write_text, "a\nb/\xff\x01", 0640, std::nullopt, false, "text\n"};
  Step second{
      StepKind::remove, "x", 0, Stamp{FileType::symlink, 1, 2, 0, 4, 5, 6, 0777, 8, 9}, true, ""};
  const std::string journal = encode_steps({first, second});
  const auto read = decode_steps(journal);
  REQUIRE(read);
  CHECK(*read == std::vector<Step>{first, second});
  for (std::size_t size = 0; size < journal.size(); ++size)
    CHECK_FALSE(decode_steps(std::string_view(journal).substr(0, size)));
  CHECK_FALSE(decode_steps(journal + "x"));
}

TEST_CASE("a record reads back as written, and no part of one is taken for a whole") {
  const TransactionRecord record{"/work/\xff\n", 1, 2, 3};
  const std::string bytes = encode_record(record);
  const auto read = decode_record(bytes);
  REQUIRE(read);
  CHECK(*read == record);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_record(std::string_view(bytes).substr(0, size)));
}

}  // namespace
}  // namespace fathom::sandbox
