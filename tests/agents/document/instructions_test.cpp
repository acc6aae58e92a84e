#include "agents/document/instructions.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>

#include <filesystem>

using namespace fathom;
using namespace fathom::agents;
namespace fs = std::filesystem;

namespace {

struct Repo {
  test::TempDir dir;
  fs::path root = fs::canonical(dir.path()) / "w";
  policies::Policy policy;
  AgentDocument agent;

  Repo() {
    fs::create_directories(root);
    policy.filesystem.workspace_root = root.string();
  }
  void write(const std::string& name, std::string_view text) const {
    (void)dir.write("w/" + name, text);
  }
  [[nodiscard]] Instructions read() const { return read_instructions(agent, policy).value(); }
};

std::string skill_text(const std::string& name) {
  return "---\nname: " + name + "\ndescription: does " + name + "\n---\nLong text.\n";
}

}  // namespace

TEST_CASE("instruction files are read in the agent's order, absent ones passed over", "[agents]") {
  Repo repo;
  repo.agent.instructions = {"docs/b.md", "absent.md", "AGENTS.md"};
  repo.write("AGENTS.md", "Use tabs.\n");
  repo.write("docs/b.md", "Be brief.\n");
  const Instructions read = repo.read();
  CHECK(read.files == std::vector<InstructionFile>{{"docs/b.md", "Be brief.\n", 0},
                                                   {"AGENTS.md", "Use tabs.\n", 0}});
  CHECK(read.notes.empty());
}

TEST_CASE("the same text under two names is read once", "[agents]") {
  const Repo repo;
  repo.write("AGENTS.md", "Use tabs.\n");
  SECTION("a copy") { repo.write("CLAUDE.md", "Use tabs.\n"); }
  SECTION("a link") { fs::create_symlink("AGENTS.md", repo.root / "CLAUDE.md"); }
  const Instructions read = repo.read();
  CHECK(read.files == std::vector<InstructionFile>{{"AGENTS.md", "Use tabs.\n", 0}});
  CHECK(read.notes.empty());
}

TEST_CASE("what leads out of the repository is not read, and that is said", "[agents]") {
  const Repo repo;
  const fs::path secret = repo.dir.write("secret.md", "secret");
  SECTION("a link to a file") { fs::create_symlink(secret, repo.root / "AGENTS.md"); }
  SECTION("a relative link") { fs::create_symlink("../secret.md", repo.root / "AGENTS.md"); }
  const Instructions read = repo.read();
  CHECK(read.files.empty());
  REQUIRE(read.notes.size() == 1);
  CHECK(read.notes[0].starts_with("AGENTS.md: not read: "));
}

TEST_CASE("what the policy hides from commands is not read into the prompt", "[agents]") {
  Repo repo;
  repo.agent.instructions = {".env"};
  repo.write(".env", "TOKEN=1");
  repo.policy.filesystem.grants.push_back(
      {(repo.root / ".env").string(), policies::Access::hidden, "hide.env"});
  const Instructions read = repo.read();
  CHECK(read.files.empty());
  CHECK(read.notes ==
        std::vector<std::string>{".env: not read: the policy hides it (rule hide.env)"});
}

TEST_CASE("what is no file blocks nothing and is not read", "[agents]") {
  const Repo repo;
  SECTION("a fifo") { REQUIRE(::mkfifo((repo.root / "AGENTS.md").c_str(), 0600) == 0); }
  SECTION("a folder") { fs::create_directory(repo.root / "AGENTS.md"); }
  const Instructions read = repo.read();
  CHECK(read.files.empty());
  CHECK(read.notes.size() == 1);
}

TEST_CASE("bytes that are no UTF-8 are replaced, and that is said", "[agents]") {
  const Repo repo;
  repo.write("AGENTS.md", "a\xFFz\n");
  const Instructions read = repo.read();
  CHECK(read.files.at(0).text == "a\xEF\xBF\xBDz\n");
  CHECK(read.notes == std::vector<std::string>{"AGENTS.md: not UTF-8: what is none was replaced"});
}

TEST_CASE("blank instruction files say nothing", "[agents]") {
  const Repo repo;
  repo.write("AGENTS.md", " \r\n\n");
  CHECK(repo.read() == Instructions{});
}

TEST_CASE("a long instruction file is cut at a line, and a long one without lines at a character",
          "[agents]") {
  const Repo repo;
  std::string lines;
  while (lines.size() <= kInstructionFileBytesMax) lines += "A line of ten words.\n";
  repo.write("AGENTS.md", lines);
  std::string letters = "x";
  while (letters.size() <= kInstructionFileBytesMax) letters += "ä";
  repo.write("CLAUDE.md", letters);
  const Instructions read = repo.read();
  REQUIRE(read.files.size() == 2);
  for (const InstructionFile& file : read.files) {
    CHECK(file.text.size() <= kInstructionFileBytesMax);
    CHECK(file.text.size() > kInstructionFileBytesMax - 100);
    const std::string& whole = file.path == "AGENTS.md" ? lines : letters;
    CHECK(file.text.size() + file.bytes_cut == whole.size());
    CHECK(whole.starts_with(file.text));
  }
  CHECK(read.files[0].text.ends_with("words.\n"));
  CHECK(read.files[1].text.ends_with("ä"));
  CHECK(read.notes.size() == 2);
}

TEST_CASE("all instruction files together have a largest size", "[agents]") {
  Repo repo;
  repo.agent.instructions = {"a", "b", "c", "d"};
  for (const std::string& name : repo.agent.instructions)
    repo.write(name, name + std::string(kInstructionFileBytesMax - 1, '.'));
  const Instructions read = repo.read();
  CHECK(read.files.size() == 2);
  CHECK(read.notes.size() == 2);
  CHECK(read.notes[0] == "c: not read: the files before it are long enough");
}

TEST_CASE("skills are found in a folder, or in the folders below, by name", "[agents]") {
  Repo repo;
  repo.agent.skills = {"tools/one", ".fathom/skills", "absent"};
  repo.write("tools/one/SKILL.md", skill_text("one"));
  repo.write(".fathom/skills/b/SKILL.md", skill_text("bee"));
  repo.write(".fathom/skills/a/SKILL.md", skill_text("ay"));
  repo.write(".fathom/skills/empty/README.md", "");
  repo.write(".fathom/skills/README.md", "");
  const Instructions read = repo.read();
  CHECK(read.notes.empty());
  CHECK(read.skills == std::vector<Skill>{{{"one", "does one"}, "tools/one/SKILL.md"},
                                          {{"ay", "does ay"}, ".fathom/skills/a/SKILL.md"},
                                          {{"bee", "does bee"}, ".fathom/skills/b/SKILL.md"}});
}

TEST_CASE("a skill that cannot be read is left out and noted", "[agents]") {
  Repo repo;
  repo.agent.skills = {"s", "s/b", "file"};
  repo.write("file", "");
  repo.write("s/a/SKILL.md", "# no head\n");
  repo.write("s/b/SKILL.md", skill_text("b"));
  fs::create_symlink(repo.dir.write("out/SKILL.md", skill_text("c")).parent_path(),
                     repo.root / "s/c");
  const Instructions read = repo.read();
  CHECK(read.skills == std::vector<Skill>{{{"b", "does b"}, "s/b/SKILL.md"}});
  REQUIRE(read.notes.size() == 3);
  CHECK(read.notes[0].starts_with("s/a/SKILL.md: line 1: column 1: no head"));
  CHECK(read.notes[1].starts_with("s/c/SKILL.md: not read: "));
  CHECK(read.notes[2].starts_with("file"));
}

TEST_CASE("there are no more skills than a prefix can hold", "[agents]") {
  Repo repo;
  repo.agent.skills = {"s"};
  for (std::size_t i = 0; i <= kSkillsMax; ++i)
    repo.write("s/" + std::to_string(1000 + i) + "/SKILL.md", skill_text("x" + std::to_string(i)));
  const Instructions read = repo.read();
  CHECK(read.skills.size() == kSkillsMax);
  CHECK(read.notes == std::vector<std::string>{"s/1064/SKILL.md: left out: more than 64 skills"});
}

TEST_CASE("a skill's long text behind its head is not read as part of it", "[agents]") {
  Repo repo;
  repo.agent.skills = {"s"};
  std::string text = skill_text("x");
  while (text.size() < 3 * kSkillHeadBytesMax) text += "ä";
  repo.write("s/SKILL.md", text);
  const Instructions read = repo.read();
  CHECK(read.skills.size() == 1);
  CHECK(read.notes.empty());
}
