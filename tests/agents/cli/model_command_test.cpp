#include "agents/cli/model_command.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

using namespace fathom;
using test::ProgramResult;

namespace {

/// A folder with the tiny random model.
class TinyModel {
 public:
  TinyModel() { REQUIRE(run("random").exit_code == 0); }

  [[nodiscard]] std::string path() const { return (dir_ / "tiny").string(); }
  [[nodiscard]] ProgramResult run(std::string command) const {
    return test::fathom({"model", std::move(command), path()});
  }
  [[nodiscard]] nlohmann::json json(std::string command) const {
    return nlohmann::json::parse(test::fathom({"model", std::move(command), path(), "--json"}).out);
  }
  [[nodiscard]] std::filesystem::path shard() const {
    return dir_ / "tiny" / "model-00001-of-00001.safetensors";
  }

 private:
  test::TempDir dir_;
};

}  // namespace

TEST_CASE("a checkpoint is described for people and for programs", "[agents][e2e]") {
  const TinyModel model;
  const auto inspected = model.json("inspect");
  CHECK(inspected.at("layers").at("csa") == 2);
  CHECK(inspected.at("kv_bytes").at("1M") > inspected.at("kv_bytes").at("8k"));
  CHECK(inspected.at("machine").at("weights_fit") == true);
  const ProgramResult text = model.run("inspect");
  CHECK(text.out.contains("kv"));
  CHECK(text.err.empty());
}

TEST_CASE("the fingerprint is of what the weights are, not of where they lie", "[agents][e2e]") {
  const TinyModel one;
  const TinyModel two;
  const auto verified = one.json("verify");
  CHECK(verified.at("ok") == true);
  CHECK(verified.at("fingerprint").get<std::string>().size() == 32);
  CHECK(two.json("verify").at("fingerprint") == verified.at("fingerprint"));
}

TEST_CASE("a damaged checkpoint fails to verify, or to load", "[agents][e2e]") {
  const TinyModel model;
  std::string bytes = test::slurp(model.shard());
  std::filesystem::resize_file(model.shard(), bytes.size() - 1000);
  const ProgramResult cut = model.run("verify");
  CHECK(cut.exit_code == 65);
  CHECK(cut.err.starts_with("fathom: " + model.shard().string()));
  CHECK(model.run("inspect").exit_code == 65);
}

TEST_CASE("a checkpoint is not overwritten, and shapes and folders are checked", "[agents][e2e]") {
  const TinyModel model;
  const ProgramResult again = model.run("random");
  CHECK(again.exit_code == 69);
  CHECK(again.err ==
        "fathom: " + model.path() + ": exists and is not empty: choose another folder\n");
  CHECK(test::fathom({"model", "random", "--shape", "tniy", "/tmp/x"}).err ==
        "fathom: unknown shape 'tniy' (did you mean 'tiny'?)\n");
  CHECK(test::fathom({"model", "inspect", "/nonexistent"}).exit_code == 66);
}

TEST_CASE("a bench says what it measured, or that the machine was busy", "[agents][e2e]") {
  const TinyModel model;
  const ProgramResult result = test::fathom({"bench", "engine", "--model", model.path(), "--quick",
                                             "--threads", "1", "--context", "2000", "--json"});
  CHECK(test::fathom({"bench", "engine", "--model", model.path(), "--context", "65536"}).err ==
        "fathom: --context: 65536 and an answer are not in the model's context of 65536\n");
  if (result.exit_code == 69) {  // tests run beside each other
    CHECK(result.err.contains("something else is running"));
    return;
  }
  CHECK(result.exit_code == 0);
  const auto run = nlohmann::json::parse(result.out).at("runs").at(0);
  CHECK(run.at("decode_tokens_per_s") > 0);
  CHECK(run.at("batches").size() == 5);
  CHECK(run.at("contexts").at(0).at("context") == 2000);
}
