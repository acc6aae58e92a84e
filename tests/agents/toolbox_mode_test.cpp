#include "agents/toolbox.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>

using namespace fathom;
using namespace fathom::agents;
using nlohmann::json;

namespace {

// One run in a home of its own, whose calls are made one after the other.
class Run {
 public:
  explicit Run(sandbox::Mode mode) {
    std::filesystem::create_directories(root_ / "home/w");
    auto zygote = sandbox::ZygoteProcess::start();
    REQUIRE(zygote);
    zygote_ = *std::move(zygote);
    ToolboxOptions options;
    options.repository = root_ / "home/w";
    options.tools = {"bash", "str_replace_editor", "search", "list", "git", "run_tests"};
    options.mode = mode;
    to_end([](Run& run, ToolboxOptions how) -> asio::awaitable<void> {
      auto box = co_await Toolbox::open(
          {*run.zygote_, run.clock_, run.offload_, run.io_.get_executor(), run.env_},
          std::move(how));
      INFO((box ? "" : box.error().message));
      REQUIRE(box);
      run.box_ = *std::move(box);
    }(*this, std::move(options)));
  }
  ~Run() {
    if (box_ && !has_ended_)
      to_end([](Toolbox& box) -> asio::awaitable<void> { (void)co_await box.close("{}"); }(*box_));
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  tools::CallReport call(const std::string& tool, const json& arguments) {
    std::optional<Result<tools::CallReport>> report;
    to_end([](Toolbox& box, ToolCall what,
              std::optional<Result<tools::CallReport>>& into) -> asio::awaitable<void> {
      into = co_await box.dispatcher().dispatch(std::move(what));
    }(*box_, {"c" + std::to_string(++calls_), tool, arguments.dump(), ""}, report));
    return report->value();
  }
  [[nodiscard]] std::filesystem::path workspace() const { return root_ / "home/w"; }
  [[nodiscard]] bool has_changed() const { return box_->has_changed(); }
  /// Ends the run.
  std::optional<tools::SnapshotDiff> changes() {
    std::optional<tools::SnapshotDiff> found;
    to_end([](Toolbox& box, std::optional<tools::SnapshotDiff>& into) -> asio::awaitable<void> {
      const auto closed = co_await box.close("{}");
      REQUIRE(closed);
      auto changes = co_await box.changes();
      INFO((changes ? "" : changes.error().message));
      REQUIRE(changes);
      into = *std::move(changes);
    }(*box_, found));
    has_ended_ = true;
    return found;
  }

 private:
  void to_end(asio::awaitable<void> task) {
    std::exception_ptr failure;
    asio::co_spawn(io_, std::move(task), [&](std::exception_ptr error) {
      failure = error;
      io_.stop();  // the sandbox's services go on
    });
    io_.restart();
    io_.run();
    if (failure) std::rethrow_exception(failure);
  }

  test::TempDir dir_;
  std::filesystem::path root_ = std::filesystem::canonical(dir_.path());
  SystemClock clock_;
  OffloadPool offload_;
  asio::io_context io_{1};
  GetEnv env_ = [this](const char* name) {
    return std::string_view(name) == "HOME" ? (root_ / "home").string() : std::string();
  };
  std::unique_ptr<sandbox::ZygoteProcess> zygote_;
  std::unique_ptr<Toolbox> box_;
  int calls_ = 0;
  bool has_ended_ = false;
};

}  // namespace

TEST_CASE("tools of a run whose edits are kept apart share one view of the workspace",
          "[agents][e2e]") {
  Run run(sandbox::Mode::disposable);
  const auto created =
      run.call("str_replace_editor",
               {{"command", "create"}, {"path", "src/a.txt"}, {"file_text", "from the editor\n"}});
  INFO(created.result.content);
  CHECK(created.result.status == ToolStatus::ok);
  CHECK(run.call("bash", {{"command", "cat src/a.txt"}})
            .result.content.starts_with("from the editor\n"));
  CHECK(run.call("bash", {{"command", "echo from bash > src/a.txt"}}).result.status ==
        ToolStatus::ok);
  const auto refused = run.call(
      "str_replace_editor",
      {{"command", "str_replace"}, {"path", "src/a.txt"}, {"old_str", "editor"}, {"new_str", "x"}});
  CHECK(refused.result.content.find("+from bash") != std::string::npos);
  CHECK(run.call("search", {{"pattern", "from bash"}}).result.content.starts_with("1 match"));
  CHECK(run.call("list", json::object()).result.content.find("1 file") != std::string::npos);
  CHECK(std::filesystem::is_empty(run.workspace()));
}

TEST_CASE("a tool that would see the host's files says so when edits are kept apart",
          "[agents][e2e]") {
  Run run(sandbox::Mode::disposable);
  for (const auto& [tool, arguments] :
       {std::pair<std::string, json>{"git", {{"command", "status"}}},
        std::pair<std::string, json>{"run_tests", json::object()}}) {
    const auto report = run.call(tool, arguments);
    CHECK(report.result.status == ToolStatus::denied);
    CHECK(report.result.content ==
          "denied: " + tool +
              ": edits of this run are kept beside the workspace, where this tool does not see "
              "them: do it in bash (rule tool." +
              tool + ")");
  }
}

TEST_CASE("what a run changed is told at its end, and nothing when it only looked",
          "[agents][e2e]") {
  {
    Run run(sandbox::Mode::direct);
    CHECK(run.call("bash", {{"command", "ls"}}).result.status == ToolStatus::ok);
    CHECK_FALSE(run.changes());
  }
  Run run(sandbox::Mode::direct);
  CHECK(run.call("bash", {{"command", "echo one > a; echo x > kept"}}).result.status ==
        ToolStatus::ok);
  CHECK(run.call("bash", {{"command", "echo two > b; rm kept"}}).result.status == ToolStatus::ok);
  const auto changes = run.changes();
  REQUIRE(changes);
  REQUIRE(changes->files.size() == 2);
  CHECK(changes->files[0].path == "a");
  CHECK(changes->files[1].path == "b");
  CHECK(changes->patch.ends_with("--- /dev/null\n+++ b/b\n@@ -0,0 +1 @@\n+two\n"));
}
