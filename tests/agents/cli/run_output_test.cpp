#include "agents/cli/run_output.hpp"

#include "tests/agents/cli/run_desk.hpp"
#include "tests/agents/cli/run_on_terminal.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using test::has;
using test::RunDesk;
using test::RunOnTerminal;

namespace {

const std::string kFix = "replay:tests/golden/sessions/fix.jsonl";
const std::string kPublishes =
    R"({"calls":[{"name":"bash","arguments":{"command":"git push origin main"}}]})"
    "\n"
    R"({"say":"Tried."})";
const std::string kSleeps = R"({"calls":[{"name":"bash","arguments":{"command":"sleep 600"}}]})"
                            "\n"
                            R"({"say":"Slept."})";

std::vector<std::string> on_xterm(const RunDesk& desk, std::vector<std::string> more = {}) {
  std::vector<std::string> all = desk.environment();
  all.insert(all.end(), {"TERM=xterm-256color", "LANG=C.UTF-8"});
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// What stands behind the last time that the line was cleared.
std::string_view behind_last_status(std::string_view screen) {
  const std::size_t at = screen.rfind("\r\x1b[K");
  return at == std::string_view::npos ? screen : screen.substr(at + 4);
}

}  // namespace

TEST_CASE("a terminal shows the run, the change and the end, and no status is left below",
          "[agents][e2e]") {
  const RunDesk desk;
  RunOnTerminal run(desk.run_words(kFix), on_xterm(desk));
  CHECK(run.wait() == 0);
  CHECK(has(run.screen(), "add.sh subtracted where it should add."));
  CHECK(has(run.screen(), "+echo $(($1 + $2))"));
  CHECK(has(run.screen(), "\x1b[32m"));
  CHECK(has(behind_last_status(run.screen()), "fathom undo " + desk.newest()));
}

TEST_CASE("NO_COLOR takes the colours from a terminal", "[agents][e2e]") {
  const RunDesk desk;
  RunOnTerminal run(desk.run_words(kFix), on_xterm(desk, {"NO_COLOR=1"}));
  CHECK(run.wait() == 0);
  std::string_view rest = run.screen();
  for (std::size_t at = rest.find('\x1b'); at != std::string_view::npos; at = rest.find('\x1b')) {
    rest.remove_prefix(at);
    REQUIRE(rest.starts_with("\x1b[K"));  // the status line is cleared, nothing else
    rest.remove_prefix(3);
  }
}

TEST_CASE("a question stands below its call, and the answer is heard", "[agents][e2e]") {
  const RunDesk desk;
  const std::string script = desk.script("publishes", kPublishes);
  RunOnTerminal run(desk.run_words(script, {"--ask"}), on_xterm(desk));
  REQUIRE(run.shows("n no"));
  const std::string_view screen = run.screen();
  const std::size_t shown = screen.find("needs your approval");
  const std::size_t asked = screen.find("may bash do this?");
  CHECK(shown < asked);
  CHECK(asked != std::string_view::npos);
  run.type("n\n");
  CHECK(run.wait() == 0);
  CHECK(desk.count("approval.answered") == 1);
  for (const auto& event : desk.events())
    if (event["type"] == "approval.answered") CHECK(event["data"]["given"] == false);
}

TEST_CASE("one ctrl-c ends the turn and leaves a run that goes on", "[agents][e2e]") {
  const RunDesk desk;
  const std::string script = desk.script("sleeps", kSleeps);
  RunOnTerminal run(desk.run_words(script), on_xterm(desk));
  REQUIRE(run.shows("sleep 600"));
  run.type("\x03");
  CHECK(run.wait() == 130);
  CHECK(has(run.screen(), "interrupting; Ctrl-C again stops at once"));
  CHECK(has(run.screen(), "fathom session resume " + desk.newest()));
  CHECK(desk.events().back()["type"] == "run.finished");
}

TEST_CASE("a pipe gets the answer alone", "[agents][e2e]") {
  const RunDesk desk;
  const auto run = desk.run(kFix);
  CHECK(run.exit_code == 0);
  CHECK(run.out == "add.sh subtracted where it should add. The tests pass now.\n");
  CHECK_FALSE(has(run.out + run.err, "\x1b"));
}
