#include "agents/config.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/schema_check.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <map>
#include <set>

using namespace fathom;
using namespace fathom::agents;

namespace {

using Words = std::vector<std::string>;

/// A document with the header in front; its first line is line 3.
std::string document(const std::string& body) {
  return "apiVersion: fathom/v1\nkind: Config\n" + body;
}

std::string error_of(const std::string& body) {
  const auto config = parse_config(document(body), "c.yaml");
  return config ? "accepted" : config.error().message;
}

}  // namespace

TEST_CASE("a config says how a repository's tests are run", "[agents]") {
  const auto config = parse_config(document(R"(test:
  command: [./run-tests, "--xml={report}"]
  filter: ["--only={filter}"]
  report: ["out/**/*.xml", more.xml]
  format: tap
  reruns: 2
  timeout_s: 90
)"),
                                   "c.yaml");
  REQUIRE(config);
  CHECK(config->test.command == Words{"./run-tests", "--xml={report}"});
  CHECK(config->test.filter == Words{"--only={filter}"});
  CHECK(config->test.reports == Words{"out/**/*.xml", "more.xml"});
  CHECK(config->test.format == tools::ReportFormat::tap);
  CHECK(config->test.reruns == 2);
  CHECK(config->test.time == std::chrono::seconds(90));
}

TEST_CASE("a command that is text is the shell's, and a filter stays out of the text", "[agents]") {
  const auto config = parse_config(
      document("test:\n  command: make check | tee log\n  filter: [\"{filter}\"]\n"), "c.yaml");
  REQUIRE(config);
  CHECK(config->test.command == Words{"/bin/sh", "-c", "make check | tee log", "sh"});
  const auto plan = tools::plan_tests({}, config->test);
  REQUIRE(plan);
  const auto argv = tools::filtered_argv(*plan, "a; $(b)");
  REQUIRE(argv);
  CHECK(argv->back() == "a; $(b)");
  CHECK(argv->size() == 5);
}

TEST_CASE("what is wrong in a config is named with its place and the nearest key", "[agents]") {
  CHECK(error_of("tset: {}\n") ==
        "c.yaml: line 3: column 1: unknown key 'tset' (did you mean 'test'?)");
  CHECK(error_of("test:\n  comand: x\n") ==
        "c.yaml: line 4: column 3: test: unknown key 'comand' (did you mean 'command'?)");
  CHECK(error_of("test: {format: xml}\n") ==
        "c.yaml: line 3: column 16: test.format: unknown word 'xml' (one of: junit, jest, tap, "
        "gojson, cargo, exit)");
  CHECK(parse_config("kind: Config\n", "c.yaml").error().message ==
        "c.yaml: line 1: column 1: 'apiVersion' is missing (add 'apiVersion: …')");
  CHECK(parse_config("apiVersion: fathom/v1\nkind: Policy\n", "c.yaml").error().message ==
        "c.yaml: line 2: column 7: kind: 'Policy' is no config (write 'kind: Config')");
  for (const char* body :
       {"test: {command: []}\n", "test: {command: \"\"}\n", "test: {command: [\"\"]}\n",
        "test: {command: {a: b}}\n", "test: {report: /etc/passwd}\n", "test: {report: ../x.xml}\n",
        "test: {report: [a, b/../../c]}\n", "test: {report: ..}\n", "test: {filter: [\"-k\"]}\n",
        "test: {command: x, timeout_s: 0}\n", "test: {reruns: 11}\n", "test: [x]\n"}) {
    INFO(body);
    CHECK(error_of(body).starts_with("c.yaml: line 3: column "));
  }
}

TEST_CASE("a repository's config is read where it lies, and a link to elsewhere is not",
          "[agents]") {
  const test::TempDir dir;
  std::filesystem::create_directory(dir / "w");
  const std::string workspace = (dir / "w").string();
  CHECK(load_project_config(workspace)->test.command.empty());
  std::filesystem::create_directory(dir / "w/.fathom");
  CHECK(load_project_config(workspace)->test.command.empty());
  dir.write("w/.fathom/config.yaml", document("test: {command: [x]}\n"));
  CHECK(load_project_config(workspace)->test.command == Words{"x"});
  dir.write("w/.fathom/config.yaml", document("tset: {}\n"));
  CHECK(load_project_config(workspace).error().message.starts_with(
      ".fathom/config.yaml: line 3: column 1: unknown key 'tset'"));
  std::filesystem::remove_all(dir / "w/.fathom/config.yaml");
  dir.write("elsewhere/config.yaml", document("test: {command: [x]}\n"));
  std::filesystem::create_symlink(dir / "elsewhere/config.yaml", dir / "w/.fathom/config.yaml");
  CHECK(load_project_config(workspace).error().message ==
        "read .fathom/config.yaml: no regular file (a repository's config is a file of its own, "
        "without links)");
  std::filesystem::remove_all(dir / "w/.fathom");
  std::filesystem::create_directory_symlink(dir / "elsewhere", dir / "w/.fathom");
  CHECK(load_project_config(workspace).error().message ==
        "read .fathom/config.yaml: .fathom is no folder (a repository's config is a file of its "
        "own, without links)");
}

TEST_CASE("the config's schema and its loader know the same keys", "[agents]") {
  std::map<std::string, std::set<std::string>> known;
  for (const ConfigKeys& section : config_keys())
    known[std::string(section.section)] = {section.keys.begin(), section.keys.end()};
  CHECK(test::keys_in_schema(config_schema()) == known);
}

TEST_CASE("what the config's schema refuses its loader refuses", "[agents]") {
  for (const char* body :
       {"tset: {}\n", "test: []\n", "test: {command: {a: b}}\n", "test: {comand: x}\n",
        "test: {format: xml}\n", "test: {reruns: 11}\n", "test: {timeout_s: 0}\n",
        "test: {filter: x}\n", "test: {report: {a: b}}\n"}) {
    INFO(body);
    CHECK_FALSE(test::fits_schema(config_schema(), document(body)));
    CHECK(error_of(body) != "accepted");
  }
  for (const char* body : {"", "test: {command: make check, report: a.xml, format: exit}\n",
                           "test: {command: [a, b], filter: [\"{filter}\"], report: [a], reruns: "
                           "0, timeout_s: 1}\n"}) {
    INFO(body);
    CHECK(test::fits_schema(config_schema(), document(body)));
    CHECK(error_of(body) == "accepted");
  }
}
