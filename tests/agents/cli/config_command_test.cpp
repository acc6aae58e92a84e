// A repository's config from the command line: checked, published, and used by run_tests.
#include "agents/cli/config_command.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

using namespace fathom;
using nlohmann::json;
using test::ProgramResult;

namespace {

// A home, a repository in it with a config, and the program.
struct Desk {
  test::TempDir dir;
  std::string home = (std::filesystem::canonical(dir.path()) / "home").string();
  std::string repo = home + "/w";

  explicit Desk(const std::string& test) { configure(test); }

  void configure(const std::string& test) const {
    write(".fathom/config.yaml", "apiVersion: fathom/v1\nkind: Config\ntest:\n" + test);
  }
  void write(const std::string& name, std::string_view bytes) const {
    (void)dir.write("home/w/" + name, bytes);
  }
  [[nodiscard]] ProgramResult fathom(const std::vector<std::string>& args) const {
    return test::fathom(args, {.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home},
                               .stdout_path = ""});
  }
  [[nodiscard]] ProgramResult call(const std::string& tool, const std::string& arguments) const {
    return fathom({"tool", "call", tool, arguments, "--repo", repo, "--json"});
  }
  [[nodiscard]] json run_tests(const std::string& arguments = "{}") const {
    return json::parse(call("run_tests", arguments).out);
  }
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

constexpr const char* kCat = "  command: [cat, report]\n  format: tap\n";

}  // namespace

TEST_CASE("config lint says where a document is wrong, and that a good one is", "[agents][e2e]") {
  const Desk desk(kCat);
  const std::string file = desk.repo + "/.fathom/config.yaml";
  const ProgramResult good = desk.fathom({"config", "lint", file});
  CHECK(good.exit_code == 0);
  CHECK(good.out == file + ": ok\n");
  desk.configure("  comand: x\n");
  const ProgramResult bad = desk.fathom({"config", "lint", file});
  CHECK(bad.exit_code == 64);
  CHECK(has(bad.err, "line 4: column 3: test: unknown key 'comand' (did you mean 'command'?)"));
}

TEST_CASE("config schema prints the published schema", "[agents][e2e]") {
  CHECK(test::fathom({"config", "schema"}).out == test::slurp("agents/config.schema.json"));
}

TEST_CASE("run_tests runs what the repository's config says", "[agents][e2e]") {
  const Desk desk(kCat);
  desk.write("report", "1..2\nok 1 - a\nnot ok 2 - b\n");
  const json answer = desk.run_tests();
  CHECK(answer["data"]["format"] == "tap");
  CHECK(answer["data"]["counts"]["failed"] == 1);
  CHECK(answer["data"]["why"] == "configured: .fathom/config.yaml");
}

TEST_CASE("a configured format is never taken for another", "[agents][e2e]") {
  const Desk desk("  command: [cat, report]\n  format: exit\n");
  desk.write("report", "1..1\nnot ok 1 - a\n");
  json answer = desk.run_tests();
  CHECK(answer["data"]["verdict"] == "passed");
  CHECK(answer["data"]["proven"] == false);
  desk.configure("  command: [cat, report]\n  format: gojson\n");
  answer = desk.run_tests();
  CHECK_FALSE(answer["data"].contains("counts"));
}

TEST_CASE("a report file in the configured format is read", "[agents][e2e]") {
  const Desk desk(
      "  command: printf '1..1\\nnot ok 1 - a\\n' > out.tap\n  report: out.tap\n"
      "  format: tap\n  reruns: 1\n");
  const json answer = desk.run_tests();
  CHECK(answer["data"]["failing"][0]["id"] == "a");
  CHECK(answer["data"]["reruns"] == 1);
}

TEST_CASE("a command that takes longer than configured is stopped", "[agents][e2e]") {
  const Desk desk("  command: [sleep, \"1000\"]\n  timeout_s: 1\n");
  const json answer = desk.run_tests();
  CHECK(answer["data"]["verdict"] == "infra");
}

TEST_CASE("a config that is wrong fails run_tests and no other tool", "[agents][e2e]") {
  const Desk desk("  comand: x\n");
  const json answer = desk.run_tests();
  CHECK(answer["status"] == "failed");
  CHECK(
      has(answer["content"], ".fathom/config.yaml: line 4: column 3: test: unknown key 'comand'"));
  CHECK(json::parse(desk.call("bash", R"({"command":"true"})").out)["status"] == "ok");
}

TEST_CASE("where no tests are recognised, the file and the key to set are named", "[agents][e2e]") {
  const Desk desk("  {}\n");
  CHECK(has(desk.run_tests()["content"], "set test.command in .fathom/config.yaml"));
}

TEST_CASE("a run of tests says what changed since the last one in the same repository",
          "[agents][e2e]") {
  const Desk desk(kCat);
  desk.write("report", "1..2\nok 1 - a\nnot ok 2 - b\n");
  const json first = desk.run_tests();
  CHECK_FALSE(first["data"].contains("delta"));
  desk.write("report", "1..2\nok 1 - a\nok 2 - b\n");
  const json second = desk.run_tests();
  CHECK(second["data"]["delta"]["against"] == first["run"]);
  CHECK(second["data"]["delta"]["fixed"] == json{"b"});
  CHECK(has(second["content"], "against run " + first["run"].get<std::string>() + ": 1 fixed (b)"));
  const json third = desk.run_tests();
  CHECK(third["data"]["delta"]["against"] == second["run"]);
  CHECK(has(third["content"], ": no change"));
  // Another command's cases may have other names: nothing to compare.
  desk.configure("  command: [cat, ./report]\n  format: tap\n");
  CHECK_FALSE(desk.run_tests()["data"].contains("delta"));
}
