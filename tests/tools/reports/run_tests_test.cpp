#include "tools/run_tests.hpp"

#include "tests/support/answering_commands.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

namespace fathom::tools {
namespace {

using test::Answer;
using Words = std::vector<std::string>;

constexpr auto kGreen =
    R"(<testsuite name="s"><testcase name="a"/><testcase name="b"/></testsuite>)";
constexpr auto kRed = R"(<testsuite name="s"><testcase name="a"/>)"
                      R"(<testcase name="b"><failure message="1 != 2"/></testcase></testsuite>)";

TestSettings configured() {
  TestSettings settings;
  settings.command = {"./run", "--xml={report}"};
  settings.filter = {"{filter}"};
  return settings;
}

// One tool, and what its commands answer.
struct Stage {
  explicit Stage(std::vector<Answer> answers, TestSettings settings = configured())
      : commands(std::move(answers)), tool(commands, "/repo", std::move(settings)) {}

  Result<ToolOutput> call(const std::string& json) {
    Result<ToolOutput> output = fail(ErrorCode::io, "it did not answer");
    const auto arguments = Arguments::parse(json);
    REQUIRE(arguments);
    test::run_coro([&](Simulator&) -> asio::awaitable<void> {
      const std::string id = "call-1";
      const Call call{id, *arguments, {}};
      auto running = tool.run(call);
      output = co_await std::move(running);
    });
    return output;
  }

  test::AnsweringCommands commands;
  RunTests tool;
};

std::vector<Answer> run_with(const char* report, int exit_code) {
  return {{"/tmp/fathom-tests-1\n"}, {"chatter\n", exit_code}, {report}, {""}};
}

void append(std::vector<Answer>& all, std::vector<Answer> more) {
  for (Answer& one : more) all.push_back(std::move(one));
}

TEST_CASE("the report is read by a command of its own from a folder of this run", "[tools]") {
  Stage stage(run_with(kRed, 1));
  const auto output = stage.call("{}");
  REQUIRE(output);
  CHECK(stage.commands.commands == std::vector<Words>{{"mktemp", "-d", "-t", "fathom-tests-XXXXXX"},
                                                      {"/bin/sh", "-c", "exec \"$@\" 2>&1", "sh",
                                                       "./run", "--xml=/tmp/fathom-tests-1/report"},
                                                      {"cat", "/tmp/fathom-tests-1/report"},
                                                      {"rm", "-rf", "--", "/tmp/fathom-tests-1"}});
  CHECK(output->status == ToolStatus::failed);
  CHECK(output->digest ==
        "FAILED: 1 passed, 1 failed in 0.00 s\n"
        "ran: ./run (configured: .fathom/config.yaml)\n"
        "s::b\n"
        "  1 != 2");
  CHECK(output->text.text().empty());
  const auto data = nlohmann::json::parse(output->data);
  CHECK(data["verdict"] == "failed");
  CHECK(data["failing"][0]["id"] == "s::b");
  CHECK(data["counts"]["passed"] == 1);
}

TEST_CASE("a filter reaches the command as a word of its own", "[tools]") {
  Stage stage(run_with(kGreen, 0));
  const auto output = stage.call(R"x({"filter":"a; $(b)"})x");
  REQUIRE(output);
  CHECK(output->status == ToolStatus::ok);
  CHECK(stage.commands.commands[1].back() == "a; $(b)");
}

TEST_CASE("later runs say what changed since the first", "[tools]") {
  std::vector<Answer> answers = run_with(kRed, 1);
  append(answers, run_with(kGreen, 0));
  append(answers, run_with(kGreen, 0));
  append(answers, run_with(kRed, 1));
  Stage stage(std::move(answers));
  REQUIRE(stage.call("{}"));
  auto output = stage.call("{}");
  REQUIRE(output);
  CHECK(output->digest.ends_with("against the baseline: 1 fixed (s::b)"));
  output = stage.call(R"({"baseline":"reset"})");
  REQUIRE(output);
  CHECK(output->digest.find("baseline") == std::string::npos);
  output = stage.call("{}");
  REQUIRE(output);
  CHECK(output->digest.ends_with("against the baseline: 1 newly failing (s::b)"));
  CHECK(nlohmann::json::parse(output->data)["delta"]["newly_failing"][0] == "s::b");
}

TEST_CASE("reruns tell flaky from broken and stop once nothing is left to learn", "[tools]") {
  std::vector<Answer> answers = run_with(kRed, 1);
  append(answers, run_with(kRed, 1));
  append(answers, run_with(kGreen, 0));
  Stage stage(std::move(answers));
  const auto output = stage.call(R"({"rerun":5})");
  REQUIRE(output);
  CHECK(stage.commands.commands.size() == 12);
  CHECK(output->digest.ends_with("2 reruns: 1 flaky, passed without a change (s::b 1/2)"));
  CHECK(output->status == ToolStatus::failed);
  CHECK(nlohmann::json::parse(output->data)["failing"][0]["kind"] == "flaky");
}

TEST_CASE("a report that is not there leaves the console and the exit code", "[tools]") {
  SECTION("the console was understood") {
    Stage stage({{"/tmp/x\n"}, {"TAP version 13\n1..1\nnot ok 1 - a\n", 1}, {"", 1}, {""}});
    const auto output = stage.call("{}");
    REQUIRE(output);
    CHECK(output->digest.starts_with("FAILED: 0 passed, 1 failed"));
  }
  SECTION("nothing was understood: the tail of the output is all there is") {
    Stage stage({{"/tmp/x\n"}, {"something broke\n", 3}, {"", 1}, {""}});
    const auto output = stage.call("{}");
    REQUIRE(output);
    CHECK(output->status == ToolStatus::failed);
    CHECK(output->text.text() == "something broke\n");
    CHECK(output->notes == "no report was written to /tmp/x/report\n");
  }
  SECTION("a command that is not there is no failure of the code") {
    Stage stage({{"/tmp/x\n"}, {"sh: 1: exec: ./run: not found\n", 127}, {"", 1}, {""}});
    const auto output = stage.call("{}");
    REQUIRE(output);
    CHECK(output->digest.starts_with("DID NOT RUN PROPERLY"));
    CHECK(nlohmann::json::parse(output->data)["verdict"] == "infra");
  }
}

TEST_CASE("of an output that nobody understood the end is shown, and how to get the rest",
          "[tools]") {
  std::string out;
  for (int i = 0; i < 1'000; ++i) out += "line " + std::to_string(i) + "\n";
  Stage stage({{"/tmp/x\n"}, {out, 2}, {"", 1}, {""}});
  const auto output = stage.call("{}");
  REQUIRE(output);
  const std::string text = output->text.text();
  CHECK(
      text.starts_with("[the last 25 of 1000 lines; for more: bash, ./run]\n"
                       "line 975\n"));
  CHECK(text.ends_with("line 999\n"));
}

TEST_CASE("a run that hits a limit is neither red nor green, and no baseline", "[tools]") {
  std::vector<Answer> answers = {{"/tmp/x\n"}, {"", 0, sandbox::Ending::deadline}, {kGreen}, {""}};
  append(answers, run_with(kRed, 1));
  Stage stage(std::move(answers));
  auto output = stage.call("{}");
  REQUIRE(output);
  CHECK(output->status == ToolStatus::failed);
  CHECK(output->digest.starts_with("DID NOT RUN PROPERLY: 2 passed"));
  output = stage.call("{}");
  REQUIRE(output);
  CHECK(output->digest.find("baseline") == std::string::npos);
}

TEST_CASE("a run in which nothing ran is no success", "[tools]") {
  Stage stage(run_with(R"(<testsuite name="s" tests="0"/>)", 0));
  const auto output = stage.call("{}");
  REQUIRE(output);
  CHECK(output->status == ToolStatus::failed);
  CHECK(output->digest.starts_with("NO TESTS RAN"));
}

TEST_CASE("report files count only when this run changed them", "[tools]") {
  using namespace std::string_literals;
  TestSettings settings;
  settings.command = {"mvn", "test"};
  settings.reports = {"**/TEST-*.xml"};
  const std::string old = "11 80 100.5 ././a/TEST-old.xml\0"s + "12 80 100.5 ././a/TEST-x.xml\0"s;
  const std::string later = "11 80 100.5 ././a/TEST-old.xml\0"s +
                            "12 80 200.5 ././a/TEST-x.xml\0"s + "13 80 200.5 ././a/other.xml\0"s;
  SECTION("the changed one is read") {
    Stage stage({{old}, {"", 1}, {later}, {kRed}}, settings);
    const auto output = stage.call("{}");
    REQUIRE(output);
    CHECK(stage.commands.commands[3] == Words{"cat", "./a/TEST-x.xml"});
    CHECK(output->digest.starts_with("FAILED: 1 passed, 1 failed"));
  }
  SECTION("old ones are nobody's result") {
    Stage stage({{old}, {"", 1}, {old}}, settings);
    const auto output = stage.call("{}");
    REQUIRE(output);
    CHECK(output->notes == "the report files are older than this run and were not read\n");
    CHECK(output->digest.starts_with("FAILED in"));
  }
}

TEST_CASE("settings that could not be read fail each call with their error", "[tools]") {
  test::AnsweringCommands commands({});
  RunTests tool(commands, "/repo", fail(ErrorCode::usage, "c.yaml: line 1"));
  const auto intent = tool.intent(*Arguments::parse("{}"));
  REQUIRE_FALSE(intent);
  CHECK(intent.error().message == "c.yaml: line 1");
}

TEST_CASE("failing cases are run again as often as the settings say, unless the call does",
          "[tools]") {
  TestSettings settings = configured();
  settings.reruns = 1;
  std::vector<Answer> answers = run_with(kRed, 1);
  append(answers, run_with(kRed, 1));
  append(answers, run_with(kRed, 1));
  Stage stage(std::move(answers), settings);
  const auto output = stage.call("{}");
  REQUIRE(output);
  CHECK(output->digest.ends_with("1 rerun: 1 broken, red every time (s::b)"));
  REQUIRE(stage.call(R"({"rerun":0})"));
  CHECK(stage.commands.commands.size() == 12);
}

TEST_CASE("of a command that reports by its exit code nothing is read", "[tools]") {
  TestSettings settings;
  settings.command = {"./run"};
  settings.reports = {"out.xml"};
  settings.format = ReportFormat::exit;
  Stage stage({{""}, {"1..1\nnot ok 1 - a\n", 0}}, settings);
  const auto output = stage.call("{}");
  REQUIRE(output);
  CHECK(output->status == ToolStatus::ok);
  CHECK(output->digest.find("only the exit code says so") != std::string::npos);
}

TEST_CASE("a build that breaks is the result, with its first error", "[tools]") {
  const test::TempDir dir;
  dir.write("CMakeLists.txt", "enable_testing()");
  test::AnsweringCommands commands(
      {{"/tmp/x\n"}, {"configured\n"}, {"a.cpp:3:5: error: no x\n", 1}});
  TestDriver driver(commands, dir.path().string());
  const auto facts = look_at_tests(dir.path().string());
  REQUIRE(facts);
  const auto plan = plan_tests(*facts, {});
  REQUIRE(plan);
  Result<TestRun> run = fail(ErrorCode::io, "it did not answer");
  test::run_coro([&](Simulator&) -> asio::awaitable<void> {
    auto running = driver.run(*plan, plan->argv, {});
    run = co_await std::move(running);
  });
  REQUIRE(run);
  CHECK(run->judgement.verdict == TestVerdict::failed);
  CHECK(run->report->problems == Words{"the build failed: a.cpp:3:5: error: no x"});
  CHECK(run->argv == plan->before[1]);
}

TEST_CASE("without a sandbox nothing runs and the error says so", "[tools]") {
  Stage stage({});
  const auto output = stage.call("{}");
  REQUIRE_FALSE(output);
  CHECK(output.error().code == ErrorCode::unsupported);
}

TEST_CASE("the intent is the commands that would run", "[tools]") {
  Stage stage({});
  const auto arguments = Arguments::parse(R"({"filter":"x"})");
  const auto intent = stage.tool.intent(*arguments);
  REQUIRE(intent);
  CHECK(intent->effect == Effect::write);
  REQUIRE(intent->requests.size() == 1);
  const auto& exec = std::get<policies::request::Exec>(intent->requests[0]);
  CHECK(exec.argv == Words{"./run", "--xml={report}", "x"});
  CHECK(exec.cwd == "/repo");
  for (const char* json : {R"({"rerun":11})", R"({"rerun":-1})", R"({"filter":"-x"})",
                           R"({"filter":"x","baseline":"reset"})"}) {
    INFO(json);
    CHECK_FALSE(stage.tool.intent(*Arguments::parse(json)));
  }
  CHECK(ArgumentSchema::compile("run_tests", stage.tool.spec().parameters));
}

}  // namespace
}  // namespace fathom::tools
