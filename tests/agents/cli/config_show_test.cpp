#include "agents/cli/config_show.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

using namespace fathom;
using test::ProgramResult;

namespace {

struct Desk {
  test::TempDir dir;
  std::string home = std::filesystem::canonical(dir.path()).string();
  std::string file = home + "/.config/fathom/config.yaml";

  void write(const std::string& body) const {
    const auto path =
        dir.write(".config/fathom/config.yaml", "apiVersion: fathom/v1\nkind: Config\n" + body);
    std::filesystem::permissions(path, std::filesystem::perms(0600));
  }
  [[nodiscard]] ProgramResult config(std::vector<std::string> args) const {
    args.insert(args.begin(), "config");
    return test::fathom(
        args, {.environment = {"PATH=/usr/bin:/bin", "HOME=" + home, "FATHOM_AGENT=explorer"},
               .stdout_path = ""});
  }
};

}  // namespace

TEST_CASE("config show prints what holds, and on request where it comes from", "[agents][e2e]") {
  const Desk desk;
  desk.write("engine: demo\n");
  CHECK(desk.config({"show"}).out == "agent = explorer\nengine = demo\npolicy = default\n");
  CHECK(desk.config({"show", "--origin", "--policy", "readonly"}).out ==
        "agent = explorer   [FATHOM_AGENT]\nengine = demo   [" + desk.file +
            ":3]\npolicy = readonly   [--policy]\n");
  CHECK(nlohmann::json::parse(desk.config({"show", "--json"}).out)["values"][1] ==
        nlohmann::json{{"key", "engine"}, {"value", "demo"}, {"origin", desk.file + ":3"}});
}

TEST_CASE("config show fails for a document that is wrong", "[agents][e2e]") {
  const Desk desk;
  desk.write("engin: demo\n");
  const ProgramResult shown = desk.config({"show"});
  CHECK(shown.exit_code == 64);
  CHECK(shown.err == "fathom: " + desk.file +
                         ": line 3: column 1: unknown key 'engin' (did you mean 'engine'?)\n");
}

TEST_CASE("config path says where the config would be", "[agents][e2e]") {
  const Desk desk;
  CHECK(desk.config({"path"}).out == desk.file + "\n");
}
