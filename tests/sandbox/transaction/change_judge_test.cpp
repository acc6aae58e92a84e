#include "sandbox/change_judge.hpp"

#include "tests/support/catch.hpp"

#include <array>

namespace fathom::sandbox {
namespace {

struct Asked {
  Zone zone;
  bool fresh;
  std::string_view name;
  FileType type;
  Doing doing;
  Fate fate;
};

TEST_CASE("the rules for a change are the allow-list of git's own names") {
  using enum Doing;
  constexpr FileType kFile = FileType::regular;
  constexpr FileType kFolder = FileType::directory;
  const std::array<Asked, 16> table = {{
      {Zone::plain, false, "main.cpp", kFile, made, Fate::applied},
      {Zone::plain, false, ".git", kFolder, made, Fate::applied},
      {Zone::plain, false, ".GIT", FileType::symlink, made, Fate::withheld},
      {Zone::plain, false, ".git", kFile, removed, Fate::withheld},
      {Zone::repository, false, "HEAD", kFile, changed, Fate::applied},
      {Zone::repository, false, "HEAD", FileType::symlink, changed, Fate::withheld},
      {Zone::repository, false, "hooks", kFolder, removed, Fate::withheld},
      {Zone::repository, false, "objects", kFolder, removed, Fate::applied},
      {Zone::repository, false, "config", kFile, removed, Fate::withheld},
      {Zone::repository, false, "description", kFile, made, Fate::withheld},
      {Zone::repository, true, "description", kFile, made, Fate::applied},
      {Zone::repository, false, "unknown", kFile, made, Fate::withheld},
      {Zone::hooks, true, "pre-commit", kFile, made, Fate::withheld},
      {Zone::hooks, true, "pre-commit.sample", kFile, made, Fate::applied},
      {Zone::info, false, "attributes", kFile, made, Fate::withheld},
      {Zone::rebase, false, "git-rebase-todo", kFile, made, Fate::runs_later},
  }};
  const auto names = NameMatcher::create({});
  REQUIRE(names);
  const ChangeJudge judge(*names);
  for (const Asked& asked : table) {
    INFO(asked.name);
    const Ruling ruling =
        judge.judge({asked.zone, asked.fresh, ""}, {{}, asked.name, asked.type, asked.doing});
    CHECK(ruling.fate == asked.fate);
    CHECK((ruling.fate == Fate::applied || !ruling.rule.empty()));
  }
}

}  // namespace
}  // namespace fathom::sandbox
