// run_tests on small repositories of every kind, in the sandbox with the default policy.
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"
#include "tests/tools/reports/live_workspace.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace fathom::tools {
namespace {

using nlohmann::json;
using test::LiveWorkspace;

bool lacks(LiveWorkspace& workspace, std::initializer_list<const char*> programs) {
  for (const char* program : programs) {
    if (workspace.has_program(program)) continue;
    test::skip("no " + std::string(program) +
               " in the sandbox's reach: run_tests was not tried with it");
    return true;
  }
  return false;
}

struct Seen {
  json data;
  std::string digest;
};

Seen call(LiveWorkspace& workspace, const std::string& arguments = "{}",
          TestSettings settings = {}) {
  const ToolOutput output = workspace.call(arguments, std::move(settings));
  UNSCOPED_INFO(output.digest << "\n" << output.text.text() << output.notes);
  return {json::parse(output.data), output.digest};
}

void write_ctest(LiveWorkspace& workspace) {
  workspace.write("CMakeLists.txt",
                  "cmake_minimum_required(VERSION 3.20)\nproject(x NONE)\nenable_testing()\n"
                  "add_test(NAME good COMMAND true)\n"
                  "add_test(NAME bad COMMAND sh -c \"echo src/a.cpp:7: wrong && exit 1\")\n"
                  "add_test(NAME crash COMMAND sh -c \"kill -SEGV $$\")\n");
}

TEST_CASE("ctest: built, run, and its JUnit report read", "[tools][sandbox]") {
  LiveWorkspace workspace;
  if (lacks(workspace, {"cmake", "ctest"})) return;
  write_ctest(workspace);
  Seen seen = call(workspace);
  CHECK(seen.data["format"] == "junit");
  CHECK(seen.data["counts"] == json{{"passed", 1}, {"failed", 2}, {"errors", 0}, {"skipped", 0}});
  CHECK(seen.data["failing"][0]["file"] == "src/a.cpp");
  CHECK(seen.data["failing"][0]["line"] == 7);
  // Only the console says how it crashed.
  CHECK(seen.data["failing"][1]["message"] == "Exception: SegFault");
  CHECK(seen.digest.find("guessed: CMakeLists.txt") != std::string::npos);
  seen = call(workspace, R"({"filter":"good"})");
  CHECK(seen.data["verdict"] == "passed");
  seen = call(workspace, R"({"filter":"no such test"})");
  CHECK(seen.data["verdict"] == "no_tests");
  workspace.write("CMakeLists.txt", "nonsense(\n");
  seen = call(workspace);
  CHECK(seen.data["verdict"] == "failed");
  CHECK(seen.data["format"] == "build");
  CHECK(seen.digest.find("CMake Error") != std::string::npos);
}

TEST_CASE("make: what its programs print is the report", "[tools][sandbox]") {
  LiveWorkspace workspace;
  if (lacks(workspace, {"make"})) return;
  workspace.write("Makefile", "test:\n\t@echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1\n");
  Seen seen = call(workspace);
  CHECK(seen.data["runner"] == "make");
  CHECK(seen.data["format"] == "tap");
  CHECK(seen.data["failing"][0]["id"] == "b");
  workspace.write("Makefile", "test:\n\t@true\n");
  seen = call(workspace);
  CHECK(seen.data["verdict"] == "passed");
  CHECK(seen.data["proven"] == false);
}

TEST_CASE("python: unittest where there is no pytest", "[tools][sandbox]") {
  LiveWorkspace workspace;
  if (lacks(workspace, {"python3"})) return;
  workspace.write("tests/test_a.py",
                  "import unittest\nclass T(unittest.TestCase):\n"
                  "    def test_ok(self): pass\n"
                  "    def test_bad(self): self.assertEqual(1, 2)\n");
  const Seen seen = call(workspace);
  CHECK(seen.data["counts"] == json{{"passed", 1}, {"failed", 1}, {"errors", 0}, {"skipped", 0}});
  CHECK(seen.data["failing"][0]["file"] == "tests/test_a.py");
  CHECK(seen.data["failing"][0]["line"] == 4);
  const bool either = seen.data["runner"] == "unittest" || seen.data["runner"] == "pytest";
  CHECK(either);
}

TEST_CASE("pytest: a module that does not load keeps no other from running", "[tools][sandbox]") {
  LiveWorkspace workspace;
  if (lacks(workspace, {"python3"})) return;
  workspace.write("tests/test_a.py", "def test_ok(): pass\n");
  workspace.write("tests/test_b.py", "import nothere\ndef test_b(): pass\n");
  Seen seen = call(workspace);
  if (seen.data["runner"] != "pytest")
    return test::skip("python3 has no pytest: run_tests was not tried with it");
  CHECK(seen.data["counts"] == json{{"passed", 1}, {"failed", 0}, {"errors", 1}, {"skipped", 0}});
  workspace.write("tests/test_b.py", "def test_b(): pass\n");
  seen = call(workspace);
  CHECK(seen.data["delta"]["fixed"] == json{"pytest::tests.test_b"});
  CHECK(seen.data["delta"]["silenced"].empty());
}

TEST_CASE("go: packages, subtests and what does not build", "[tools][sandbox]") {
  LiveWorkspace workspace;
  if (lacks(workspace, {"go"})) return;
  workspace.write("go.mod", "module example.com/demo\n\ngo 1.18\n");
  workspace.write("a_test.go",
                  "package demo\n\nimport \"testing\"\n\nfunc TestOk(t *testing.T) {}\n"
                  "func TestSub(t *testing.T) {\n\tt.Run(\"a\", func(t *testing.T) {\n"
                  "\t\tt.Error(\"wrong\")\n\t})\n}\n");
  Seen seen = call(workspace);
  CHECK(seen.data["format"] == "go");
  CHECK(seen.data["counts"] == json{{"passed", 1}, {"failed", 1}, {"errors", 0}, {"skipped", 0}});
  CHECK(seen.data["failing"][0]["id"] == "example.com/demo::TestSub/a");
  CHECK(seen.data["failing"][0]["line"] == 8);
  seen = call(workspace, R"({"rerun":1,"filter":"TestSub"})");
  CHECK(seen.data["failing"][0]["kind"] == "broken");
  workspace.write("a_test.go",
                  "package demo\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { missing() }\n");
  seen = call(workspace);
  CHECK(seen.data["verdict"] == "failed");
  CHECK(seen.digest.find("undefined: missing") != std::string::npos);
}

TEST_CASE("cargo: cases by binary, with the panic's place", "[tools][sandbox]") {
  LiveWorkspace workspace;
  if (lacks(workspace, {"cargo", "cc"})) return;
  workspace.write("Cargo.toml",
                  "[package]\nname = \"demo\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
  workspace.write("src/lib.rs",
                  "#[test]\nfn ok() {}\n#[test]\nfn bad() {\n    assert_eq!(1, 2);\n}\n");
  Seen seen = call(workspace);
  CHECK(seen.data["format"] == "cargo");
  CHECK(seen.data["failing"][0]["id"] == "src/lib.rs::bad");
  CHECK(seen.data["failing"][0]["line"] == 5);
  seen = call(workspace, R"({"rerun":2,"baseline":"reset"})");
  CHECK(seen.data["failing"][0]["kind"] == "broken");
  CHECK(seen.data["failing"][0]["runs"] == 2);
}

TEST_CASE("npm: node's own runner", "[tools][sandbox]") {
  LiveWorkspace workspace;
  if (lacks(workspace, {"npm", "node"})) return;
  workspace.write("package.json",
                  R"({"name":"x","version":"1.0.0","scripts":{"test":"node --test"}})");
  workspace.write("a.test.js",
                  "const test = require('node:test');\nconst assert = require('assert');\n"
                  "test('adds', () => {});\ntest('fails', () => { assert.equal(1, 2); });\n");
  Seen seen = call(workspace);
  CHECK(seen.data["counts"] == json{{"passed", 1}, {"failed", 1}, {"errors", 0}, {"skipped", 0}});
  CHECK(seen.data["failing"][0]["file"] == "a.test.js");
  CHECK(seen.data["failing"][0]["line"] == 4);
  seen = call(workspace, R"({"filter":"adds"})");
  CHECK(seen.data["counts"]["failed"] == 0);
}

TestSettings script(std::vector<std::string> reports) {
  TestSettings settings;
  settings.command = {"sh", "run.sh"};
  settings.reports = std::move(reports);
  return settings;
}

TEST_CASE("a test that hides behind a link gets nothing of the host read", "[tools][sandbox]") {
  LiveWorkspace workspace;
  workspace.write("run.sh",
                  "mkdir -p out; ln -sf /etc/passwd out/r.xml; mkfifo out/f.xml; exit 0\n");
  const Seen seen = call(workspace, "{}", script({"out/*.xml"}));
  CHECK(seen.data["proven"] == false);
  CHECK_FALSE(seen.data.contains("counts"));
}

TEST_CASE("an old report is nobody's result, a new one beside it is", "[tools][sandbox]") {
  LiveWorkspace workspace;
  workspace.write("out/old.xml", "<testsuite name='s'><testcase name='old'/></testsuite>");
  workspace.write("run.sh", "exit 0\n");
  const TestSettings settings = script({"out/*.xml"});
  CHECK(call(workspace, "{}", settings).data["proven"] == false);
  workspace.write(
      "run.sh", "echo \"<testsuite name='s'><testcase name='new'/></testsuite>\" > out/new.xml\n");
  const Seen seen = call(workspace);
  CHECK(seen.data["counts"]["passed"] == 1);
}

TEST_CASE("output without end is counted and not gathered", "[tools][sandbox]") {
  LiveWorkspace workspace;
  workspace.write("run.sh", "yes 'not ok and no tap' | head -c 50000000; exit 4\n");
  const Seen seen = call(workspace, "{}", script({}));
  CHECK(seen.data["verdict"] == "failed");
  CHECK(seen.data["exit_code"] == 4);
}

}  // namespace
}  // namespace fathom::tools
