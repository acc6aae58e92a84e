#include "agents/document/skill_file.hpp"

#include "tests/support/catch.hpp"

#include <utility>
#include <vector>

using namespace fathom;
using namespace fathom::agents;

namespace {

std::string error_of(const std::string& text) {
  const auto head = parse_skill_head(text, "SKILL.md");
  return head ? "accepted" : head.error().message;
}

}  // namespace

TEST_CASE("a skill's head gives a name and a description, and the rest is others'", "[agents]") {
  const SkillHead expected{"release", "How a release is made here."};
  CHECK(parse_skill_head("---\nname: release\ndescription: How a release is made here.\n---\n# X\n",
                         "s")
            .value() == expected);
  CHECK(parse_skill_head("---\r\nname: release\r\ndescription: >-\r\n  How a release\r\n  is made "
                         "here.\r\nlicense: MIT\r\nmetadata: {a: [1]}\r\n---\r\n",
                         "s")
            .value() == expected);
  CHECK(parse_skill_head("\xEF\xBB\xBF---\nname: release\ndescription: |\n  How a release\n\n  is "
                         "made here.\n---",
                         "s")
            .value() == expected);
}

TEST_CASE("a skill's head has no line breaks and no terminal sequences in it", "[agents]") {
  CHECK(parse_skill_head("---\nname: a\ndescription: \"x\\n--- end\\e[31m\"\n---\n", "s")
            ->description == "x --- end\\x1b[31m");
}

TEST_CASE("what is wrong with a skill's head is said with its line in the file", "[agents]") {
  const std::string none =
      "SKILL.md: line 1: column 1: no head between two lines of '---' in the first 8.0 KiB";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", none},
      {"# Title\n", none},
      {"---\nname: x\ndescription: z\n", none},
      {"---\nname: x\n" + std::string(kSkillHeadBytesMax, '#') + "\ndescription: z\n---\n", none},
      {"---\n---\n",
       "SKILL.md: line 2: column 1: nothing where a mapping should be (write 'key: "
       "value' lines)"},
      {"---\nname: x\n---\n",
       "SKILL.md: line 2: column 1: 'description' is missing (add 'description: …')"},
      {"---\ndescription: z\n---\n",
       "SKILL.md: line 2: column 1: 'name' is missing (add 'name: …')"},
      {"---\nname: x\ndescription: \" \"\n---\n",
       "SKILL.md: line 3: column 14: description: is empty (write it)"},
      {"---\nname: [x]\ndescription: z\n---\n",
       "SKILL.md: line 2: column 7: name: a list where text should be"},
      {"---\nname: " + std::string(kSkillNameBytesMax + 1, 'x') + "\ndescription: z\n---\n",
       "SKILL.md: line 2: column 7: name: text of more than 64 bytes (shorten it)"},
      {"---\nname: x\ndescription: " + std::string(kSkillDescriptionBytesMax + 1, 'x') + "\n---\n",
       "SKILL.md: line 3: column 14: description: text of more than 1024 bytes (shorten it)"},
      {"---\nname: x\nname: y\n---\n",
       "SKILL.md: line 3: column 1: duplicate key 'name' (first at line 2): keep one of them"},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text.substr(0, 200));
    CHECK(error_of(text) == expected);
  }
}
