// `fathom demo`: whatever the bundled model makes of a repository, what is said of it is true.
#include "agents/cli/demo_command.hpp"

#include "tests/agents/cli/run_desk.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using nlohmann::json;
using test::has;
using test::ProgramResult;
using test::RunDesk;

namespace {

// Whether the repository's own checks pass, run here.
bool passes(const std::string& repository) {
  return test::run_program(
             {"/bin/sh", "-c", "cd \"$0\" && ./run_tests.sh", repository},
             {.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"}, .stdout_path = ""})
             .exit_code == 0;
}

}  // namespace

TEST_CASE("the demo makes a broken repository and says truly whether it was repaired",
          "[agents][e2e][sandbox]") {
  const RunDesk desk;
  const std::string folder = desk.home + "/three";
  const ProgramResult shown = desk.program({"demo", "--seed", "3", "--repo", folder});
  INFO(shown.err);
  REQUIRE((shown.exit_code == 0 || shown.exit_code == 10));
  CHECK(has(shown.err, "one wrong line, made from seed 3"));
  CHECK(has(shown.err, "run_tests"));
  CHECK(has(shown.err, "It can do nothing else"));
  CHECK(passes(folder) == (shown.exit_code == 0));
  const auto events = desk.events();
  CHECK(events.back()["type"] == "run.finished");
  CHECK(events.back()["data"]["exit_code"] == shown.exit_code);
  CHECK(desk.count("agent.attempt") >= 1);

  const ProgramResult taken = desk.program({"demo", "--seed", "3", "--repo", folder});
  CHECK(taken.exit_code == 64);
  CHECK(has(taken.err, "is no empty folder"));
}

TEST_CASE("the demo counts what it repairs", "[agents][e2e][sandbox]") {
  const RunDesk desk;
  const std::string folder = desk.home + "/many";
  const ProgramResult counted = desk.program(
      {"demo", "--seed", "3", "--count", "2", "--set", "templates", "--json", "--repo", folder});
  INFO(counted.err);
  REQUIRE(counted.exit_code == 0);
  const json report = json::parse(counted.out);
  CHECK(report["repositories"] == 2);
  CHECK(report["failed_calls"].is_number());
  std::size_t fixed = 0;
  for (const json& repair : report["repairs"]) {
    CHECK(passes(repair["repository"]) == repair["fixed"]);
    CHECK(repair["wrong"] != repair["right"]);
    fixed += repair["fixed"] == true ? 1 : 0;
  }
  CHECK(report["fixed"] == fixed);

  // The same seed makes the same repository, but for the line that was repaired.
  const std::string again = desk.home + "/again";
  CHECK(desk.program({"demo", "--seed", "3", "--count", "2", "--set", "templates", "--repo", again,
                      "--engine", desk.script("nothing.jsonl", "{\"say\":\"no\"}\n")})
            .exit_code != 64);
  CHECK(test::slurp(again + "/r001/test.py") == test::slurp(folder + "/r001/test.py"));
  CHECK_FALSE(passes(again + "/r001"));
}

TEST_CASE("a wrong demo is refused before anything is made", "[agents][e2e]") {
  const RunDesk desk;
  CHECK(desk.program({"demo", "--count", "0"}).exit_code == 64);
  CHECK(desk.program({"demo", "--set", "mine"}).exit_code == 64);
  CHECK(desk.program({"demo", "--seed", "x"}).exit_code == 64);
}

TEST_CASE("the bundled model says what it cannot work on, and changes nothing",
          "[agents][e2e][sandbox]") {
  const RunDesk desk;
  const auto run = [&] {
    return desk.program({"run", "--engine", "demo", "--repo", desk.repo, "make the tests pass"});
  };
  const ProgramResult other = run();
  CHECK(other.exit_code == 66);
  CHECK(has(other.err, "./run_tests.sh was not started"));
  const auto write_script = [&](const char* text) {
    desk.write("run_tests.sh", text);
    std::filesystem::permissions(desk.repo + "/run_tests.sh", std::filesystem::perms(0755));
  };
  write_script("#!/bin/sh\nexec no-such-python test.py\n");
  const ProgramResult missing = run();
  CHECK(missing.exit_code == 66);
  CHECK(has(missing.err, "no-such-python: not found"));
  write_script("#!/bin/sh\nexit 0\n");
  const ProgramResult fine = run();
  CHECK(fine.exit_code == 0);
  CHECK(has(fine.err, "nothing to repair"));
  CHECK(desk.count("model.request") == 0);
  CHECK(desk.file("add.sh") == RunDesk::kBroken);
}
