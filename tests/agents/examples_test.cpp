#include "tests/agents/cli/run_desk.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using test::ProgramResult;
using test::RunDesk;

namespace {

ProgramResult run(const RunDesk& desk, const std::vector<std::string>& words) {
  return test::run_program(words, {.environment = desk.environment(), .stdout_path = ""});
}

}  // namespace

TEST_CASE("the hello example lets an agent look at a repository and prints its answer",
          "[agents][e2e]") {
  const RunDesk desk;
  const std::string engine = desk.script(
      "hello",
      R"({"calls":[{"name":"str_replace_editor","arguments":{"command":"view","path":"add.sh"}}]})"
      "\n"
      R"({"say":"It adds.","expect":{"contains":"Adds two numbers."}})");
  const ProgramResult result = run(desk, {FATHOM_HELLO, engine, desk.repo, "what does it do?"});
  CHECK(result.exit_code == 0);
  CHECK(result.out == "It adds.\n");
  CHECK(test::has(result.err, "str_replace_editor"));
  CHECK(desk.count("tool.finished") == 1);
}

TEST_CASE("the custom_tool example lends its agent a tool", "[agents][e2e]") {
  const RunDesk desk;
  const std::string engine = desk.script(
      "count", R"({"calls":[{"name":"count_words","arguments":{"text":"one two  three"}}]})"
               "\n"
               R"({"say":"Three.","expect":{"contains":"3 words"}})");
  const ProgramResult result = run(desk, {FATHOM_CUSTOM_TOOL, engine, desk.repo, "count"});
  CHECK(result.exit_code == 0);
  CHECK(result.out == "Three.\n");
}

TEST_CASE("the examples say what is wrong with what they were given", "[agents][e2e]") {
  const RunDesk desk;
  for (const char* program : {FATHOM_HELLO, FATHOM_CUSTOM_TOOL}) {
    CHECK(run(desk, {program}).exit_code == 64);
    const ProgramResult no_engine = run(desk, {program, "repaly:x", desk.repo, "task"});
    CHECK(no_engine.exit_code == 1);
    CHECK(test::has(no_engine.err, "repaly"));
    const ProgramResult no_folder =
        run(desk, {program, desk.script("done", R"({"say":"a"})"), desk.repo + "/none", "task"});
    CHECK(no_folder.exit_code == 1);
    CHECK(test::has(no_folder.err, "none"));
  }
}
