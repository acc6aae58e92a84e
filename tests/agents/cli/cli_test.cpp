#include "agents/cli/cli.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/journal_fixture.hpp"
#include "tests/support/run_program.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

using namespace fathom;
using test::ProgramResult;

namespace {

const std::string kSample = "tests/golden/sample.jsonl";

// A failing command says one line, names the thing, and nothing else leaves it.
void check_failure(const std::vector<std::string>& args, int exit_code,
                   const std::string& message) {
  const ProgramResult result = test::fathom(args);
  INFO(result.err);
  CHECK(result.exit_code == exit_code);
  CHECK(result.err == "fathom: " + message + "\n");
}

}  // namespace

TEST_CASE("the version and the help of every command are printed", "[agents][e2e]") {
  CHECK(test::fathom({"--version"}).out == "fathom 0.1.0\n");
  for (const std::vector<std::string>& path : {std::vector<std::string>{},
                                               {"doctor"},
                                               {"generate"},
                                               {"model"},
                                               {"model", "inspect"},
                                               {"model", "random"},
                                               {"model", "verify"},
                                               {"policy"},
                                               {"policy", "diff"},
                                               {"policy", "explain"},
                                               {"policy", "lint"},
                                               {"policy", "schema"},
                                               {"policy", "test"},
                                               {"trace"},
                                               {"trace", "show"},
                                               {"trace", "tail"},
                                               {"trace", "replay"},
                                               {"completion"}}) {
    std::vector<std::string> args = path;
    args.emplace_back("--help");
    const ProgramResult help = test::fathom(args);
    CHECK(help.exit_code == 0);
    CHECK(help.out.find("Example") != std::string::npos);
    CHECK(help.err.empty());
  }
}

TEST_CASE("a wrong word is answered with the nearest right one", "[agents][e2e]") {
  check_failure({"trcae"}, 64,
                "unknown command or argument 'trcae' (did you mean 'trace'?); see 'fathom --help'");
  check_failure(
      {"trace", "shwo", "x"}, 64,
      "unknown command or argument 'shwo' (did you mean 'show'?); see 'fathom trace --help'");
  check_failure({"doctor", "--jsno"}, 64,
                "unknown flag '--jsno' (did you mean '--json'?); see 'fathom doctor --help'");
  check_failure({"trace", "show", kSample, "--type", "tol."}, 64,
                "--type tol.: no such event type or family (did you mean 'tool.'?)");
  check_failure({"completion", "bsh"}, 64, "completion for 'bsh': did you mean 'bash'?");
  check_failure({"--color=blue", "doctor"}, 64,
                "--color: 'blue' is not auto, always or never; see 'fathom doctor --help'");
}

TEST_CASE("unreadable, damaged and absent files each have their error and exit code",
          "[agents][e2e]") {
  const test::TempDir dir;
  check_failure({"trace", "show", "/no/such.jsonl"}, 66,
                "open journal /no/such.jsonl: No such file or directory");
  const auto damaged = dir.write("damaged.jsonl", "not an event\n");
  const ProgramResult shown = test::fathom({"trace", "show", damaged.string()});
  CHECK(shown.exit_code == 65);
  CHECK(shown.err.starts_with("fathom: journal " + damaged.string() +
                              ": damaged at byte 0 (after seq 0): "));
  const auto hostile = dir.write("a\x1b[31m.jsonl", "x\n");
  CHECK(test::fathom({"trace", "show", hostile.string()}).err.find('\x1b') == std::string::npos);
  check_failure({"trace", "show", dir.path().string()}, 64,
                "open journal " + dir.path().string() +
                    ": not a regular file (save what it gives into one first)");
}

TEST_CASE("output that cannot be written fails the command", "[agents][e2e]") {
  const ProgramResult result = test::fathom({"doctor"}, {.stdout_path = "/dev/full"});
  CHECK(result.exit_code == 73);
  CHECK(result.err ==
        "fathom: write standard output: No space left on device (free some, or write elsewhere)\n");
}

TEST_CASE("Ctrl-C ends a command that waits, with 130", "[agents][e2e]") {
  const test::TempDir dir;
  const std::string whole = test::slurp(kSample);
  const auto path = dir.write("open.jsonl", whole.substr(0, whole.find('\n') + 1));
  // timeout(1) sends the signal; whenever it comes, the answer is the same.
  const ProgramResult result =
      test::run_program({"timeout", "--preserve-status", "-s", "INT", "0.2", FATHOM_PROGRAM,
                         "trace", "tail", path.string()});
  CHECK(result.exit_code == 130);
}

TEST_CASE("a file that may not be read is a permission error", "[agents][e2e]") {
  const test::TempDir dir;
  const auto path = dir.write("secret.jsonl", "");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  if (::geteuid() == 0) {
    // Root reads everything, so the kernel is asked in another user's name.
    std::filesystem::permissions(dir.path(), std::filesystem::perms::all);
    std::filesystem::copy_file(FATHOM_PROGRAM, dir / "fathom");  // the build may be root's alone
    const ProgramResult result =
        test::run_program({"setpriv", "--reuid=65534", "--clear-groups", (dir / "fathom").string(),
                           "trace", "show", path.string()});
    CHECK(result.exit_code == 77);
    CHECK(result.err == "fathom: open journal " + path.string() + ": Permission denied\n");
    return;
  }
  check_failure({"trace", "show", path.string()}, 77,
                "open journal " + path.string() + ": Permission denied");
}

TEST_CASE("doctor's JSON is well formed and says what its exit code says", "[agents][e2e]") {
  const ProgramResult result = test::fathom({"doctor", "--json"});
  const auto json = nlohmann::json::parse(result.out);
  CHECK(result.exit_code == (json.at("healthy").get<bool>() ? 0 : 12));
  for (const auto* section : {"build", "cpu", "memory", "kernel", "files", "programs"})
    CHECK(json.at("sections").at(section).is_array());
  // HOME=/nonexistent: nothing can be created below it, except by root.
  CHECK(result.out.find("/nonexistent/.local/state/fathom") != std::string::npos);
}

TEST_CASE("colour is for terminals alone, unless asked for", "[agents][e2e]") {
  CHECK(test::fathom({"trace", "show", kSample}).out.find('\x1b') == std::string::npos);
  CHECK(test::fathom({"--color", "always", "trace", "show", kSample}).out.find('\x1b') !=
        std::string::npos);
}
