#include "tools/run_tests_plan.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/run_tests_driver.hpp"

#include <filesystem>
#include <map>

namespace fathom::tools {
namespace {

using Words = std::vector<std::string>;

std::string guessed(const WorkspaceFacts& facts) {
  const Result<TestPlan> plan = plan_tests(facts, {});
  return plan ? command_line(plan->argv) : plan.error().message;
}

WorkspaceFacts with_script(const std::string& script) {
  WorkspaceFacts facts;
  facts.names = {"package.json"};
  facts.package_json = R"({"scripts":{"test":")" + script + R"("}})";
  return facts;
}

TEST_CASE("the command is guessed from what lies in the workspace", "[tools]") {
  WorkspaceFacts cmake;
  cmake.names = {"CMakeLists.txt", "Makefile"};
  cmake.cmake_lists = "enable_testing()\n";
  cmake.makefile = "test:\n\ttrue\n";
  const Result<TestPlan> plan = plan_tests(cmake, {});
  REQUIRE(plan);
  CHECK(plan->before == std::vector<Words>{{"cmake", "-S", ".", "-B", "build"},
                                           {"cmake", "--build", "build", "--parallel", "2"}});
  CHECK(command_line(plan->argv) ==
        "ctest --test-dir build --output-on-failure --output-junit {report}");
  CHECK(plan->why == "guessed: CMakeLists.txt with tests, built in build");
  cmake.cmake_lists.clear();
  CHECK(guessed(cmake) == "make test");
  cmake.build_dirs = {"out/debug"};
  CHECK(guessed(cmake).starts_with("ctest --test-dir out/debug"));

  WorkspaceFacts facts;
  facts.names = {"go.mod"};
  CHECK(guessed(facts) == "go test -json ./...");
  facts.names = {"Cargo.toml"};
  CHECK(guessed(facts) == "cargo test --no-fail-fast");
  facts.names = {"Makefile"};
  facts.makefile = "test := x\nall: check\ncheck : all\n";
  CHECK(guessed(facts) == "make check");
  facts.makefile = "tests:\n";
  CHECK(guessed(facts).starts_with("no tests recognised here"));
  facts.names = {"Makefile", "run_tests.sh"};
  CHECK(guessed(facts) == "./run_tests.sh");
  facts.python_tests = {"tests"};
  CHECK(guessed(facts) ==
        "python3 -m pytest -q --continue-on-collection-errors -o junit_family=xunit1 "
        "--junitxml={report}");
  CHECK(command_line(without_pytest(facts).argv) == "python3 -m unittest discover -v -s tests");
}

TEST_CASE("npm's script says which runner gets which words", "[tools]") {
  CHECK(guessed(with_script("jest")) == "npm test -- --json --outputFile={report}");
  CHECK(guessed(with_script("npm run lint && npx vitest run")) ==
        "npm test -- --run --reporter=json --outputFile={report}");
  CHECK(guessed(with_script("mocha test")) ==
        "npm test -- --reporter=xunit --reporter-option=output={report}");
  CHECK(guessed(with_script("node --test")) == "npm test --");
  CHECK(guessed(with_script("jestlike | tee log")) == "npm test --");
  CHECK(guessed(with_script("echo no test specified")).starts_with("no tests recognised"));
  WorkspaceFacts broken = with_script("jest");
  for (const char* text : {"", "{", "[]", R"({"scripts":3})", R"({"scripts":{"test":3}})"}) {
    broken.package_json = text;
    CHECK(guessed(broken).starts_with("no tests recognised"));
  }
}

TEST_CASE("a filter becomes one word of argv in each runner's way", "[tools]") {
  const std::string hostile = "a; rm -rf / $(x) 'y'";
  struct Row {
    TestRunner runner;
    Words added;
  };
  const std::vector<Row> rows = {{TestRunner::ctest, {"-R", hostile}},
                                 {TestRunner::cargo, {hostile}},
                                 {TestRunner::unittest, {"-k", hostile}},
                                 {TestRunner::pytest, {"-k", hostile}},
                                 {TestRunner::jest, {"--testNamePattern=" + hostile}},
                                 {TestRunner::vitest, {"--testNamePattern=" + hostile}},
                                 {TestRunner::mocha, {"--grep=" + hostile}}};
  for (const Row& row : rows) {
    TestPlan plan;
    plan.runner = row.runner;
    plan.argv = {"runner"};
    const auto argv = filtered_argv(plan, hostile);
    REQUIRE(argv);
    Words expected = {"runner"};
    expected.insert(expected.end(), row.added.begin(), row.added.end());
    CHECK(*argv == expected);
  }
  TestPlan go;
  go.runner = TestRunner::go;
  go.argv = {"go", "test", "-json", "./..."};
  CHECK(*filtered_argv(go, "Test.*") == Words{"go", "test", "-json", "-run=Test.*", "./..."});
  TestPlan pytest;
  pytest.runner = TestRunner::pytest;
  CHECK(*filtered_argv(pytest, "tests/a.py::test_b") == Words{"tests/a.py::test_b"});
}

TEST_CASE("a filter that could be an option, or that nobody takes, is an error", "[tools]") {
  TestPlan cargo;
  cargo.runner = TestRunner::cargo;
  cargo.argv = {"cargo", "test"};
  for (const std::string& filter :
       {std::string("--release"), std::string("-x"), std::string("a\nb"), std::string("a\0b", 3),
        std::string(kFilterBytesMax + 1, 'x')}) {
    const auto argv = filtered_argv(cargo, filter);
    REQUIRE_FALSE(argv);
    CHECK(argv.error().code == ErrorCode::usage);
  }
  CHECK(*filtered_argv(cargo, "") == cargo.argv);
  TestPlan make;
  make.runner = TestRunner::make;
  make.argv = {"make", "test"};
  CHECK(filtered_argv(make, "x").error().message ==
        "filter: 'make test' takes none: leave it out, or run the one test with bash");
}

TEST_CASE("a configured command goes before every guess and names its own filter", "[tools]") {
  WorkspaceFacts facts;
  facts.names = {"go.mod"};
  TestSettings settings;
  settings.command = {"./run", "--xml={report}"};
  settings.filter = {"--only={filter}"};
  settings.reports = {"out/**/*.xml"};
  const Result<TestPlan> plan = plan_tests(facts, settings);
  REQUIRE(plan);
  CHECK(writes_report(*plan));
  CHECK(plan->why == "configured: .fathom/config.yaml");
  CHECK(plan->reports == settings.reports);
  CHECK(*filtered_argv(*plan, "a b") == Words{"./run", "--xml={report}", "--only=a b"});
}

TEST_CASE("what is configured besides a command goes for a guessed one too", "[tools]") {
  WorkspaceFacts facts;
  facts.names = {"Cargo.toml"};
  TestSettings settings;
  settings.reports = {"out.xml"};
  settings.format = ReportFormat::junit;
  settings.time = std::chrono::seconds(9);
  const Result<TestPlan> plan = plan_tests(facts, settings);
  REQUIRE(plan);
  CHECK(plan->runner == TestRunner::cargo);
  CHECK(plan->reports == settings.reports);
  CHECK(plan->time == settings.time);
  CHECK(plan->console == ReportFormat::exit);
  CHECK(plan_tests(facts, {})->console == ReportFormat::any);
  settings.format = ReportFormat::tap;
  CHECK(plan_tests(facts, settings)->console == ReportFormat::tap);
}

TEST_CASE("Maven and Gradle run offline, report in files, and take cases by class and method",
          "[tools]") {
  WorkspaceFacts facts;
  facts.names = {"pom.xml"};
  const Result<TestPlan> maven = plan_tests(facts, {});
  REQUIRE(maven);
  CHECK(command_line(maven->argv) == "mvn -q -o -fae test");
  CHECK(maven->reports == Words{"**/target/surefire-reports/TEST-*.xml"});
  CHECK(maven->why == "guessed: pom.xml");
  facts.names = {"build.gradle.kts", "gradlew"};
  const Result<TestPlan> gradle = plan_tests(facts, {});
  REQUIRE(gradle);
  CHECK(command_line(gradle->argv) ==
        "./gradlew --offline --no-daemon --console=plain --continue cleanTest test");
  CHECK(gradle->reports == Words{"**/build/test-results/test/TEST-*.xml"});
  CHECK(gradle->why == "guessed: gradlew");
  facts.names = {"settings.gradle"};
  CHECK(guessed(facts).starts_with("gradle --offline"));

  const auto added = [](const TestPlan& plan, const std::vector<std::string>& argv) {
    return command_line(std::span(argv).subspan(plan.argv.size()));
  };
  const std::string others = "-Dsurefire.failIfNoSpecifiedTests=false";
  CHECK(added(*maven, *filtered_argv(*maven, "A#b")) == "'-Dtest=A#b' " + others);
  CHECK(added(*gradle, *filtered_argv(*gradle, "A.b")) == "--tests A.b");
  std::vector<TestCase> red(2);
  red[0].suite = "com.x.ATest";
  red[0].name = "adds";
  red[1].suite = "com.x.BTest";
  red[1].name = "divides";
  CHECK(added(*maven, rerun_argv(*maven, red)) ==
        "'-Dtest=com.x.ATest#adds,com.x.BTest#divides' " + others);
  CHECK(added(*gradle, rerun_argv(*gradle, red)) ==
        "--tests com.x.ATest.adds --tests com.x.BTest.divides");
  red[1].name = "divides(int)[1]";
  CHECK(rerun_argv(*maven, red) == maven->argv);
  CHECK(rerun_argv(*gradle, red) == gradle->argv);
}

TEST_CASE("failing cases are run again by name where the runner can", "[tools]") {
  TestCase test;
  test.suite = "group > inner";
  test.name = "adds (a+b)";
  TestPlan plan;
  plan.argv = {"runner", "last"};
  plan.runner = TestRunner::ctest;
  CHECK(rerun_argv(plan, {&test, 1}) == Words{"runner", "last", "-R", "^(adds \\(a\\+b\\))$"});
  plan.runner = TestRunner::jest;
  CHECK(rerun_argv(plan, {&test, 1}).back() ==
        "--testNamePattern=^(group inner adds \\(a\\+b\\))$");
  plan.runner = TestRunner::make;
  CHECK(rerun_argv(plan, {&test, 1}) == plan.argv);
  test.name = "TestA/sub";
  plan.runner = TestRunner::go;
  CHECK(rerun_argv(plan, {&test, 1}) == Words{"runner", "-run=^(TestA)$", "last"});
  plan.runner = TestRunner::cargo;
  test.name = "tests::bad";
  CHECK(rerun_argv(plan, {&test, 1}) == Words{"runner", "last", "--", "--exact", "tests::bad"});
  std::vector<TestCase> many(kRerunNamesMax + 1, test);
  for (std::size_t i = 0; i < many.size(); ++i) many[i].name += std::to_string(i);
  CHECK(rerun_argv(plan, many) == plan.argv);
}

TEST_CASE("looking at a workspace follows no link and stops at its bounds", "[tools]") {
  const test::TempDir dir;
  dir.write("outside/package.json", R"({"scripts":{"test":"jest"}})");
  dir.write("repo/CMakeLists.txt", "enable_testing()");
  dir.write("repo/build/release/CTestTestfile.cmake", "");
  dir.write("repo/build/release/CMakeCache.txt", "");
  dir.write("repo/tests/test_a.py", "");
  dir.write("repo/Makefile", std::string(1UL << 20, '#'));
  std::filesystem::create_symlink(dir / "outside/package.json", dir / "repo/package.json");
  std::filesystem::create_directory_symlink(dir / "outside", dir / "repo/out");
  const auto facts = look_at_tests((dir / "repo").string());
  REQUIRE(facts);
  CHECK(facts->build_dirs == Words{"build/release"});
  CHECK(facts->python_tests == Words{"tests"});
  CHECK(facts->cmake_lists == "enable_testing()");
  CHECK(facts->package_json.empty());
  CHECK(facts->makefile.empty());
  CHECK_FALSE(look_at_tests((dir / "nowhere").string()));
}

}  // namespace
}  // namespace fathom::tools
