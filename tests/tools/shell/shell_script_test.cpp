#include "tools/shell/shell_script.hpp"

#include "tests/support/catch.hpp"

namespace fathom::tools {
namespace {

TEST_CASE("the wrapper is one line, so that errors name the lines of the command", "[tools]") {
  const auto argv = shell_argv({{7, 2}, {5, 0}}, ShellTicket{8, 1}, "make\ntest");
  REQUIRE(argv.size() == 9);
  CHECK(argv.front() == "bash");
  CHECK(argv[3] == "-c");
  CHECK(argv[4].find('\n') == std::string::npos);
  CHECK(argv[5] == "bash");
  CHECK(argv[6] == "8:1");
  CHECK(argv[7] == "7:2 5:0");
  CHECK(argv[8] == "make\ntest");
}

TEST_CASE("a background command saves nowhere", "[tools]") {
  CHECK(shell_argv({{1, 0}}, std::nullopt, "serve")[6].empty());
}

TEST_CASE("what no program can be given is refused with what to do instead", "[tools]") {
  CHECK(check_command(std::string(kCommandBytesMax, 'x')));
  const auto large = check_command(std::string(kCommandBytesMax + 1, 'x'));
  REQUIRE_FALSE(large);
  CHECK(large.error() ==
        Error{ErrorCode::too_large,
              "bash: the command is longer than 131071 bytes: write it to a file with "
              "str_replace_editor and run that"});
  const auto nul = check_command(std::string_view("echo \0 x", 8));
  REQUIRE_FALSE(nul);
  CHECK(nul.error().code == ErrorCode::usage);
}

}  // namespace
}  // namespace fathom::tools
