#include "agents/cli/transaction_command.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

using namespace fathom;
using nlohmann::json;
using test::ProgramResult;

namespace {

// A home and a workspace, and `fathom sandbox` run in them.
struct Desk {
  test::TempDir dir;
  std::string home = (std::filesystem::canonical(dir.path()) / "home").string();
  std::string repo = (std::filesystem::canonical(dir.path()) / "work").string();

  Desk() {
    std::filesystem::create_directories(home);
    std::filesystem::create_directories(repo);
  }

  [[nodiscard]] ProgramResult sandbox(std::vector<std::string> args) const {
    args.insert(args.begin(), "sandbox");
    return test::fathom(args,
                        {.environment = {"PATH=/usr/bin:/bin", "HOME=" + home}, .stdout_path = ""});
  }
  [[nodiscard]] ProgramResult run(std::vector<std::string> options,
                                  const std::string& script) const {
    options.insert(options.begin(), {"run", "--repo", repo});
    options.insert(options.end(), {"--", "sh", "-c", script});
    return sandbox(options);
  }
  [[nodiscard]] json list() const {
    return json::parse(sandbox({"list", "--json"}).out).at("transactions");
  }
};

}  // namespace

TEST_CASE("a transaction is made, gone on with, looked at and committed", "[agents][e2e]") {
  const Desk desk;
  (void)desk.dir.write("work/a", "old\n");
  const ProgramResult first = desk.run({"--mode", "transaction"}, "echo new > a; echo out");
  CHECK(first.exit_code == 0);
  CHECK(first.out == "out\n");
  const std::string id = desk.list().at(0).at("id");
  CHECK(first.err.find("transaction " + id + ": 1 modified\n  M a\n") != std::string::npos);
  CHECK(test::slurp(desk.repo + "/a") == "old\n");

  const ProgramResult second =
      desk.run({"--transaction", id, "--json"}, "cat a; mkdir .vscode; echo x > b");
  const json outcome = json::parse(second.out);
  CHECK(outcome.at("transaction").at("id") == id);
  CHECK(outcome.at("transaction").at("changes").size() == 3);

  const ProgramResult changes = desk.sandbox({"changes", id});
  CHECK(changes.out ==
        "  + .vscode/  (withheld: a protected name (.vscode/); rule filesystem.protected.deny[0])\n"
        "  M a\n  + b\n2 added, 1 modified; 1 of them withheld\n");

  CHECK(desk.sandbox({"commit", id, "./b"}).exit_code == 0);
  CHECK(test::slurp(desk.repo + "/b") == "x\n");
  CHECK(test::slurp(desk.repo + "/a") == "old\n");
  const json report = json::parse(desk.sandbox({"commit", id, "--json"}).out);
  CHECK(report.at("withheld").at(0).at("path") == ".vscode");
  CHECK(report.at("closed") == false);
  CHECK(test::slurp(desk.repo + "/a") == "new\n");
  CHECK(desk.sandbox({"discard", id}).exit_code == 0);
  CHECK(desk.list().empty());
  CHECK_FALSE(std::filesystem::exists(desk.repo + "/.vscode"));
}

TEST_CASE("a command that changes nothing leaves no transaction", "[agents][e2e]") {
  const Desk desk;
  const ProgramResult result = desk.run({"--mode", "transaction", "--json"}, "true");
  CHECK(json::parse(result.out).at("transaction").is_null());
  CHECK(desk.list().empty());
}

TEST_CASE("where there is no overlay nothing runs and no transaction is left", "[agents][e2e]") {
  const Desk desk;
  const ProgramResult result =
      desk.run({"--mode", "transaction", "--rung", "container"}, "echo x > x");
  CHECK(result.exit_code == 12);
  CHECK(result.err.find("needs overlayfs in a user namespace") != std::string::npos);
  CHECK(desk.list().empty());
  CHECK(std::filesystem::is_empty(desk.repo));
}

TEST_CASE("wrong uses of transactions are told apart", "[agents][e2e]") {
  const Desk desk;
  CHECK(desk.sandbox({"commit", "nonsense"}).exit_code == 66);
  CHECK(desk.sandbox({"discard", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}).exit_code == 66);
  const ProgramResult mode = desk.run({"--mode", "wrong"}, "true");
  CHECK(mode.exit_code == 64);
  CHECK(mode.err.find("'wrong' is not direct, transaction or disposable") != std::string::npos);
  CHECK(desk.run({"--mode", "transaction"}, "echo x > x").exit_code == 0);
  const std::string id = desk.list().at(0).at("id");
  const ProgramResult outside = desk.sandbox({"commit", id, "../x"});
  CHECK(outside.exit_code == 64);
  CHECK(desk.sandbox({"run", "--repo", desk.home, "--transaction", id, "--", "true"}).exit_code ==
        64);
}
