#include "tools/run_tests_plan.hpp"

#include "tools/reports/report_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <utility>

namespace fathom::tools {
namespace {

// A module without a chosen case is no error.
constexpr std::string_view kOtherModules = "-Dsurefire.failIfNoSpecifiedTests=false";

bool has(const WorkspaceFacts& facts, std::string_view name) {
  return std::ranges::find(facts.names, name) != facts.names.end();
}

std::string jobs_of(const TestSettings& settings) {
  return std::to_string(std::max(1U, settings.jobs));
}

std::optional<TestPlan> plan_ctest(const WorkspaceFacts& facts, const TestSettings& settings) {
  if (!has(facts, "CMakeLists.txt")) return std::nullopt;
  TestPlan plan;
  plan.runner = TestRunner::ctest;
  std::string dir = "build";
  if (!facts.build_dirs.empty()) {
    dir = facts.build_dirs.front();
    plan.why = "guessed: CMakeLists.txt, and " + dir + " is its build folder";
  } else {
    const bool has_tests = facts.cmake_lists.find("enable_testing") != std::string::npos ||
                           facts.cmake_lists.find("include(CTest)") != std::string::npos;
    if (!has_tests) return std::nullopt;
    plan.before.push_back({"cmake", "-S", ".", "-B", dir});
    plan.why = "guessed: CMakeLists.txt with tests, built in " + dir;
  }
  // Tests of sources that were edited since are tests of something else.
  plan.before.push_back({"cmake", "--build", dir, "--parallel", jobs_of(settings)});
  plan.argv = {"ctest",
               "--test-dir",
               dir,
               "--output-on-failure",
               "--output-junit",
               std::string(kReportMark)};
  return plan;
}

std::optional<TestPlan> plan_cargo(const WorkspaceFacts& facts, const TestSettings&) {
  if (!has(facts, "Cargo.toml")) return std::nullopt;
  TestPlan plan;
  plan.runner = TestRunner::cargo;
  plan.argv = {"cargo", "test", "--no-fail-fast"};
  plan.why = "guessed: Cargo.toml";
  return plan;
}

std::optional<TestPlan> plan_go(const WorkspaceFacts& facts, const TestSettings&) {
  if (!has(facts, "go.mod") && !has(facts, "go.work")) return std::nullopt;
  TestPlan plan;
  plan.runner = TestRunner::go;
  plan.argv = {"go", "test", "-json", "./..."};
  plan.why = "guessed: go.mod";
  return plan;
}

// The last command of a script is the one that gets the words behind `--`.
std::string_view last_command(std::string_view script) {
  for (const std::string_view separator : {"&&", "||", ";", "|"})
    if (const std::size_t at = script.rfind(separator); at != std::string_view::npos)
      script = script.substr(at + separator.size());
  return trimmed(script);
}

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const bool begins = at == 0 || text[at - 1] == ' ' || text[at - 1] == '/';
    const std::size_t end = at + word.size();
    if (begins && (end == text.size() || text[end] == ' ')) return true;
  }
  return false;
}

std::optional<std::string> npm_script(const WorkspaceFacts& facts) {
  constexpr int kDepthMax = 32;
  const auto shallow = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    return depth <= kDepthMax;
  };
  const auto json = nlohmann::json::parse(facts.package_json, shallow, false);
  if (!json.is_object()) return std::nullopt;
  const auto scripts = json.find("scripts");
  if (scripts == json.end() || !scripts->is_object()) return std::nullopt;
  const auto test = scripts->find("test");
  if (test == scripts->end() || !test->is_string()) return std::nullopt;
  std::string script = test->get<std::string>();
  // What `npm init` writes.
  if (script.find("no test specified") != std::string::npos) return std::nullopt;
  return script;
}

std::optional<TestPlan> plan_npm(const WorkspaceFacts& facts, const TestSettings&) {
  const std::optional<std::string> script = npm_script(facts);
  if (!script) return std::nullopt;
  const std::string_view command = last_command(*script);
  const std::string report(kReportMark);
  TestPlan plan;
  plan.runner = TestRunner::npm;
  plan.argv = {"npm", "test", "--"};
  plan.why = "guessed: package.json, scripts.test is '" + clean_line(*script, 80) + "'";
  if (has_word(command, "jest") || has_word(command, "react-scripts")) {
    plan.runner = TestRunner::jest;
    plan.files = ReportFormat::jest;
    plan.argv.insert(plan.argv.end(), {"--json", "--outputFile=" + report});
  } else if (has_word(command, "vitest")) {
    plan.runner = TestRunner::vitest;
    plan.files = ReportFormat::jest;
    plan.argv.insert(plan.argv.end(), {"--run", "--reporter=json", "--outputFile=" + report});
  } else if (has_word(command, "mocha")) {
    plan.runner = TestRunner::mocha;
    plan.argv.insert(plan.argv.end(), {"--reporter=xunit", "--reporter-option=output=" + report});
  } else if (has_word(command, "node") && has_word(command, "--test")) {
    plan.runner = TestRunner::node;
    // Behind a file's name node takes every word for a file.
    if (command.ends_with("--test")) plan.filter = {"--test-name-pattern={filter}"};
  }
  return plan;
}

bool is_python(const WorkspaceFacts& facts) {
  if (!facts.python_tests.empty() || has(facts, "pytest.ini") || has(facts, "conftest.py"))
    return true;
  return facts.python_settings.find("pytest") != std::string::npos;
}

std::optional<TestPlan> plan_pytest(const WorkspaceFacts& facts, const TestSettings&) {
  if (!is_python(facts)) return std::nullopt;
  TestPlan plan;
  plan.runner = TestRunner::pytest;
  // The older family tells each case's file. One module that does not load keeps no other from
  // running.
  plan.argv = {"python3",
               "-m",
               "pytest",
               "-q",
               "--continue-on-collection-errors",
               "-o",
               "junit_family=xunit1",
               "--junitxml=" + std::string(kReportMark)};
  plan.why = "guessed: python tests";
  if (!facts.python_tests.empty())
    plan.why += facts.python_tests.front() == "."
                    ? " in the workspace's folder"
                    : " in " + clean_line(facts.python_tests.front(), 80);
  return plan;
}

// "test:" or "check:" at the start of a line; not an assignment ("test := …").
bool has_target(std::string_view makefile, std::string_view target) {
  return std::ranges::any_of(lines_of(makefile), [&](std::string_view line) {
    const auto rest = behind(line, target);
    const std::string_view colon = rest ? trimmed(*rest) : std::string_view();
    return colon.starts_with(':') && !colon.starts_with(":=") && !colon.starts_with("::=");
  });
}

std::optional<TestPlan> plan_make(const WorkspaceFacts& facts, const TestSettings&) {
  for (const std::string_view target : {"test", "check"}) {
    if (!has_target(facts.makefile, target)) continue;
    TestPlan plan;
    plan.runner = TestRunner::make;
    plan.argv = {"make", std::string(target)};
    plan.why = "guessed: the makefile has a target '" + std::string(target) + "'";
    return plan;
  }
  return std::nullopt;
}

// Both are offline because commands have no network: what is not in their caches is missing either
// way, and this way they say so at once instead of after timeouts.
std::optional<TestPlan> plan_maven(const WorkspaceFacts& facts, const TestSettings&) {
  if (!has(facts, "pom.xml")) return std::nullopt;
  TestPlan plan;
  plan.runner = TestRunner::maven;
  // Without -fae the first module with a red case keeps the others from running.
  plan.argv = {"mvn", "-q", "-o", "-fae", "test"};
  plan.reports = {"**/target/surefire-reports/TEST-*.xml"};
  plan.why = "guessed: pom.xml";
  return plan;
}

std::optional<TestPlan> plan_gradle(const WorkspaceFacts& facts, const TestSettings&) {
  constexpr std::array<std::string_view, 5> kNames = {"gradlew", "build.gradle", "build.gradle.kts",
                                                      "settings.gradle", "settings.gradle.kts"};
  const auto found =
      std::ranges::find_if(kNames, [&](std::string_view name) { return has(facts, name); });
  if (found == kNames.end()) return std::nullopt;
  TestPlan plan;
  plan.runner = TestRunner::gradle;
  // A daemon would outlive the call, and tests that passed are not run again without cleanTest:
  // then there would be no report of this run.
  plan.argv = {*found == "gradlew" ? "./gradlew" : "gradle",
               "--offline",
               "--no-daemon",
               "--console=plain",
               "--continue",
               "cleanTest",
               "test"};
  plan.reports = {"**/build/test-results/test/TEST-*.xml"};
  plan.why = "guessed: " + std::string(*found);
  return plan;
}

std::optional<TestPlan> plan_script(const WorkspaceFacts& facts, const TestSettings&) {
  constexpr std::string_view kScript = "run_tests.sh";
  if (!has(facts, kScript)) return std::nullopt;
  TestPlan plan;
  plan.runner = TestRunner::script;
  plan.argv = {"./" + std::string(kScript)};
  plan.why = "guessed: " + std::string(kScript);
  return plan;
}

// Special characters of the expressions of CMake, Go and JavaScript alike.
std::string quoted_expression(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) quoted += '\\';
    quoted += c;
  }
  return quoted;
}

std::string any_of(const std::set<std::string>& names) {
  std::string expression = "^(";
  for (const std::string& name : names)
    expression += (expression.size() > 2 ? "|" : "") + quoted_expression(name);
  return expression + ")$";
}

// "suite > inner" of a report is "suite inner" to a JavaScript runner.
std::string javascript_name(const TestCase& test) {
  std::string name = test.suite.empty() ? test.name : test.suite + " " + test.name;
  for (std::size_t at = name.find(" > "); at != std::string::npos; at = name.find(" > ", at))
    name.replace(at, 3, " ");
  return name;
}

std::string rerun_name(TestRunner runner, const TestCase& test) {
  if (runner == TestRunner::go) return test.name.substr(0, test.name.find('/'));
  if (runner == TestRunner::jest || runner == TestRunner::vitest) return javascript_name(test);
  if (runner == TestRunner::maven) return test.suite + "#" + test.name;
  if (runner == TestRunner::gradle) return test.suite + "." + test.name;
  return test.name;
}

// Displayed names ("adds(int)[1]", "a case with blanks") choose nothing in these runners.
bool is_java_name(const std::string& name) {
  return std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '$' || c == '.' || c == '#';
  });
}

void add_java_names(const TestPlan& plan, const std::set<std::string>& names,
                    std::vector<std::string>& argv) {
  if (!std::ranges::all_of(names, is_java_name)) return;
  if (plan.runner == TestRunner::gradle) {
    for (const std::string& name : names) argv.insert(argv.end(), {"--tests", name});
    return;
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ",") + name;
  argv.insert(argv.end(), {"-Dtest=" + list, std::string(kOtherModules)});
}

// What is said of a command goes for a guessed one too.
void apply(const TestSettings& settings, TestPlan& plan) {
  plan.time = settings.time;
  if (!settings.reports.empty()) plan.reports = settings.reports;
  const ReportFormat format = settings.format;
  if (format == ReportFormat::any) return;
  plan.files = format;
  // JUnit and jest's JSON are files.
  const bool in_file = format == ReportFormat::junit || format == ReportFormat::jest;
  plan.console = in_file ? ReportFormat::exit : format;
}

}  // namespace

std::string_view name_of(TestRunner runner) {
  switch (runner) {
    case TestRunner::configured:
      return "configured";
    case TestRunner::ctest:
      return "ctest";
    case TestRunner::make:
      return "make";
    case TestRunner::pytest:
      return "pytest";
    case TestRunner::unittest:
      return "unittest";
    case TestRunner::node:
      return "node";
    case TestRunner::jest:
      return "jest";
    case TestRunner::vitest:
      return "vitest";
    case TestRunner::mocha:
      return "mocha";
    case TestRunner::npm:
      return "npm";
    case TestRunner::cargo:
      return "cargo";
    case TestRunner::go:
      return "go";
    case TestRunner::maven:
      return "maven";
    case TestRunner::gradle:
      return "gradle";
    case TestRunner::script:
      return "script";
  }
  return "?";
}

bool writes_report(const TestPlan& plan) {
  return std::ranges::any_of(plan.argv, [](const std::string& word) {
    return word.find(kReportMark) != std::string::npos;
  });
}

Result<TestPlan> plan_tests(const WorkspaceFacts& facts, const TestSettings& settings) {
  if (!settings.command.empty()) {
    TestPlan plan;
    plan.argv = settings.command;
    plan.filter = settings.filter;
    plan.why = "configured: " + std::string(kTestSettingsFile);
    apply(settings, plan);
    return plan;
  }
  for (const auto& guess : {plan_ctest, plan_cargo, plan_go, plan_maven, plan_gradle, plan_npm,
                            plan_pytest, plan_make, plan_script})
    if (auto plan = guess(facts, settings)) {
      apply(settings, *plan);
      return *std::move(plan);
    }
  return fail(ErrorCode::not_found,
              "no tests recognised here (CMakeLists.txt with tests, Cargo.toml, go.mod, pom.xml, "
              "build.gradle, package.json with scripts.test, test_*.py, a makefile with a target "
              "test or check, run_tests.sh): set test.command in " +
                  std::string(kTestSettingsFile) + ", or run them with bash");
}

TestPlan without_pytest(const WorkspaceFacts& facts) {
  TestPlan plan;
  plan.runner = TestRunner::unittest;
  plan.argv = {"python3", "-m", "unittest", "discover", "-v"};
  if (!facts.python_tests.empty() && facts.python_tests.front() != ".")
    plan.argv.insert(plan.argv.end(), {"-s", facts.python_tests.front()});
  plan.why = "guessed: python tests, and python3 has no module pytest";
  return plan;
}

Result<std::vector<std::string>> filtered_argv(const TestPlan& plan, std::string_view filter) {
  std::vector<std::string> argv = plan.argv;
  if (filter.empty()) return argv;
  const bool control = std::ranges::any_of(
      filter, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
  if (filter.size() > kFilterBytesMax || control)
    return fail(ErrorCode::usage,
                "filter: one line of at most " + std::to_string(kFilterBytesMax) + " bytes");
  if (filter.starts_with('-')) return fail(ErrorCode::usage, "filter: it must not begin with '-'");
  const std::string word(filter);
  switch (plan.runner) {
    case TestRunner::ctest:
      argv.insert(argv.end(), {"-R", word});
      return argv;
    case TestRunner::cargo:
      argv.push_back(word);
      return argv;
    case TestRunner::go:
      argv.insert(argv.end() - 1, "-run=" + word);
      return argv;
    case TestRunner::unittest:
      argv.insert(argv.end(), {"-k", word});
      return argv;
    case TestRunner::jest:
    case TestRunner::vitest:
      argv.push_back("--testNamePattern=" + word);
      return argv;
    case TestRunner::mocha:
      argv.push_back("--grep=" + word);
      return argv;
    case TestRunner::maven:
      argv.insert(argv.end(), {"-Dtest=" + word, std::string(kOtherModules)});
      return argv;
    case TestRunner::gradle:
      argv.insert(argv.end(), {"--tests", word});
      return argv;
    case TestRunner::pytest:
      // A node id is a place, everything else an expression over names.
      if (filter.find("::") != std::string_view::npos || filter.ends_with(".py"))
        argv.push_back(word);
      else
        argv.insert(argv.end(), {"-k", word});
      return argv;
    case TestRunner::node:
    case TestRunner::npm:
    case TestRunner::make:
    case TestRunner::script:
    case TestRunner::configured:
      break;
  }
  if (plan.filter.empty())
    return fail(ErrorCode::usage, "filter: '" + command_line(plan.argv) +
                                      "' takes none: leave it out, or run the one test with bash");
  for (std::string part : plan.filter) {
    constexpr std::string_view kMark = "{filter}";
    if (const std::size_t at = part.find(kMark); at != std::string::npos)
      part.replace(at, kMark.size(), word);
    argv.push_back(std::move(part));
  }
  return argv;
}

std::vector<std::string> rerun_argv(const TestPlan& plan, std::span<const TestCase> red) {
  std::vector<std::string> argv = plan.argv;
  if (plan.runner == TestRunner::pytest) {
    argv.emplace_back("--last-failed");  // its own record; a name alone would be ambiguous
    return argv;
  }
  std::set<std::string> names;
  for (const TestCase& test : red) names.insert(rerun_name(plan.runner, test));
  if (names.empty() || names.size() > kRerunNamesMax) return argv;
  switch (plan.runner) {
    case TestRunner::ctest:
      argv.insert(argv.end(), {"-R", any_of(names)});
      break;
    case TestRunner::go:
      argv.insert(argv.end() - 1, "-run=" + any_of(names));
      break;
    case TestRunner::jest:
    case TestRunner::vitest:
      argv.push_back("--testNamePattern=" + any_of(names));
      break;
    case TestRunner::cargo:
      // A documentation test's name has blanks in it and is no filter.
      if (std::ranges::any_of(names, [](const std::string& name) {
            return name.find(' ') != std::string::npos || name.starts_with('-');
          }))
        break;
      argv.insert(argv.end(), {"--", "--exact"});
      argv.insert(argv.end(), names.begin(), names.end());
      break;
    case TestRunner::maven:
    case TestRunner::gradle:
      add_java_names(plan, names, argv);
      break;
    default:
      break;
  }
  return argv;
}

std::string command_line(std::span<const std::string> argv) {
  std::string line;
  for (const std::string& word : argv) {
    if (!line.empty()) line += ' ';
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n'\"\\$`|&;<>()*?[]#~") == std::string::npos;
    line += plain ? word : "'" + word + "'";
  }
  return line;
}

}  // namespace fathom::tools
