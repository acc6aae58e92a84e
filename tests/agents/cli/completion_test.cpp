#include "agents/cli/completion.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

using namespace fathom;

namespace {

// What bash would offer after `words`, asked of the generated script itself.
std::string offered(const std::string& script_path, const std::string& words) {
  const std::string ask =
      "source " + script_path + "; COMP_WORDS=(" + words +
      "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _fathom; echo \"${COMPREPLY[*]}\"";
  return test::run_program({"bash", "-c", ask}).out;
}

}  // namespace

TEST_CASE("bash completes commands and flags at every level", "[agents][e2e]") {
  const test::TempDir dir;
  const auto script = dir.write("fathom.bash", test::fathom({"completion", "bash"}).out).string();
  CHECK(offered(script, "fathom tr") == "trace\n");
  CHECK(offered(script, "fathom trace ''") == "show tail replay blob --help -h\n");
  CHECK(offered(script, "fathom --color always trace replay --s") == "--speed\n");
  CHECK(offered(script, "fathom policy ''") == "lint explain test diff schema --help -h\n");
  CHECK(offered(script, "fathom policy test --ph") == "--phase\n");
  CHECK(offered(script, "fathom trace show x.jso").empty() == false);
}

TEST_CASE("zsh and fish scripts name every command", "[agents][e2e]") {
  for (const std::string shell : {"zsh", "fish"}) {
    const auto script = test::fathom({"completion", shell});
    CHECK(script.exit_code == 0);
    for (const auto* word : {"trace", "show", "tail", "replay", "doctor", "speed"})
      CHECK(script.out.find(word) != std::string::npos);
  }
}

TEST_CASE("quotes in a help text cannot end the script's own", "[agents]") {
  const std::vector<agents::CommandNode> nodes = {{{"fathom"}, {{"x", "it's"}}, {}}};
  CHECK(agents::completion_script("fish", nodes).value().find("'it'\\''s'") != std::string::npos);
}
