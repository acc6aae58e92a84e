// Whole sessions with a scripted engine: their sub-agents and their verified attempts, in a home of
// their own. Only the last case starts a command.
#include "agents/sub_agents.hpp"

#include "agents/run_store.hpp"
#include "agents/session_attempts.hpp"
#include "runtime/trace/journal_reader.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scripted_engine.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>

using namespace fathom;
using namespace fathom::agents;
using namespace fathom::test;
using nlohmann::json;

namespace {

class Office {
 public:
  Office() {
    std::filesystem::create_directories(workspace());
    auto zygote = sandbox::ZygoteProcess::start();
    REQUIRE(zygote);
    zygote_ = *std::move(zygote);
  }

  /// `document`: what comes behind the agent's name and prompt.
  std::unique_ptr<Session> open(const std::string& document, const std::string& policy = "") {
    SessionOptions options;
    options.document =
        "apiVersion: fathom/v1\nkind: Agent\nname: boss\nprompt: You lead.\n"
        "tools: [str_replace_editor]\nengine: scripted\n" +
        document;
    auto agent = load_agent(options.document, "boss.yaml");
    INFO((agent ? "" : agent.error().message));
    REQUIRE(agent);
    options.agent = *std::move(agent);
    options.tools.repository = workspace();
    options.tools.policy = policy;
    return opened(Session::start(around(), std::move(options)));
  }
  std::unique_ptr<Session> resume(const RunId& run) {
    return opened(Session::resume(around(), run, {}));
  }

  TurnReport run(Session& session, const std::string& text) {
    std::optional<Result<TurnReport>> report;
    to_end([](Session& with, std::string said,
              std::optional<Result<TurnReport>>& into) -> asio::awaitable<void> {
      auto running = with.run_turn(std::move(said));
      into = co_await std::move(running);
    }(session, text, report));
    return report->value();
  }

  Result<AttemptsReport> attempt(Session& session, const std::string& text) {
    std::optional<Result<AttemptsReport>> report;
    to_end([](Session& with, std::string said,
              std::optional<Result<AttemptsReport>>& into) -> asio::awaitable<void> {
      auto running = run_attempts(with, std::move(said));
      into = co_await std::move(running);
    }(session, text, report));
    return *std::move(report);
  }

  void close(Session& session) {
    to_end([](Session& with) -> asio::awaitable<void> {
      auto closing = with.close(0);
      CHECK(co_await std::move(closing));
    }(session));
  }

  /// Of the runs that there are; the newest first.
  [[nodiscard]] std::vector<RunId> runs() const { return store().list().value(); }
  [[nodiscard]] std::vector<trace::Event> events(const RunId& run) const {
    auto reader = trace::JournalReader::open(store().journal(run)).value();
    std::vector<trace::Event> events;
    while (auto event = reader.next().value()) events.push_back(*std::move(event));
    return events;
  }
  [[nodiscard]] json first(const RunId& run, std::string_view type) const {
    for (const trace::Event& event : events(run))
      if (event.what.type == type) return json::parse(event.what.data);
    return {};
  }
  [[nodiscard]] SessionState fold(const RunId& run) const {
    const auto blobs = trace::BlobStore::open(store().blobs()).value();
    return read_session(store().journal(run), blobs).value();
  }

  [[nodiscard]] std::filesystem::path workspace() const { return root_ / "home/w"; }
  Script& script() { return *engine_.script; }
  TempDir& dir() { return dir_; }

 private:
  [[nodiscard]] RunStore store() const { return RunStore::open(state_dir(env_).value()).value(); }
  Session::Surroundings around() {
    return {{*zygote_, clock_, offload_, io_.get_executor(), env_},
            [this](std::string_view) -> asio::awaitable<Result<engine::Engine*>> {
              co_return &engine_;
            }};
  }
  std::unique_ptr<Session> opened(asio::awaitable<Result<std::unique_ptr<Session>>> opening) {
    std::optional<Result<std::unique_ptr<Session>>> session;
    to_end([](asio::awaitable<Result<std::unique_ptr<Session>>> it,
              std::optional<Result<std::unique_ptr<Session>>>& into) -> asio::awaitable<void> {
      into = co_await std::move(it);
    }(std::move(opening), session));
    INFO((*session ? "" : session->error().message));
    REQUIRE(*session);
    return **std::move(session);
  }
  void to_end(asio::awaitable<void> task) {
    std::exception_ptr failure;
    asio::co_spawn(io_, std::move(task), [&](std::exception_ptr error) {
      failure = error;
      io_.stop();
    });
    io_.restart();
    io_.run();
    if (failure) std::rethrow_exception(failure);
  }

  TempDir dir_;
  std::filesystem::path root_ = std::filesystem::canonical(dir_.path());
  SystemClock clock_;
  OffloadPool offload_;
  asio::io_context io_{1};
  GetEnv env_ = [this](const char* name) {
    return std::string_view(name) == "HOME" ? (root_ / "home").string() : std::string();
  };
  std::unique_ptr<sandbox::ZygoteProcess> zygote_;
  ScriptedEngine engine_{clock_};
};

ToolCall call_of(const std::string& tool, const json& arguments) {
  return {"", tool, arguments.dump(), ""};
}
ToolCall creates(const std::string& path) {
  return call_of("str_replace_editor",
                 {{"command", "create"}, {"path", path}, {"file_text", "x\n"}});
}

}  // namespace

TEST_CASE("a named sub-agent has a run of its own that begins with the prompt alone", "[agents]") {
  Office office;
  auto session = office.open("agents: [explorer]\n");
  office.script().call({call_of("task", {{"prompt", "where is it?"}, {"agent", "explorer"}})});
  office.script().say("In a.cpp.");
  office.script().say("All done.");
  CHECK(office.run(*session, "go").answer == "All done.");
  CHECK(session->state().transcript().messages[2].results[0].content == "In a.cpp.");
  const RunId parent = session->run();
  office.close(*session);
  const auto runs = office.runs();
  REQUIRE(runs.size() == 2);
  const RunId child = runs[0] == parent ? runs[1] : runs[0];
  CHECK(office.first(parent, "agent.task")["run"] == child.to_string());
  CHECK(office.first(child, "agent.started")["agent"] == "explorer");
  CHECK(office.first(child, "agent.child")["parent"] == parent.to_string());
  CHECK(office.first(child, "run.finished")["exit_code"] == 0);
  const SessionState state = office.fold(child);
  REQUIRE(state.transcript().messages.size() == 2);
  CHECK(state.transcript().messages[0].text == "where is it?");
}

TEST_CASE("a fork asks with the bytes that its parent asked with, and its journal stands alone",
          "[agents]") {
  Office office;
  auto session = office.open("agents: [explorer]\n");
  office.script().say("Hello.");
  office.script().call({call_of("task", {{"prompt", "look at b"}})}, "Somebody else may look.");
  office.script().say("b is fine.");
  office.script().say("All done.");
  (void)office.run(*session, "good morning");
  (void)office.run(*session, "go");
  const auto& bodies = office.script().bodies;
  REQUIRE(bodies.size() == 4);
  const std::string_view asked = bodies[1];
  CHECK(std::string_view(bodies[2]).starts_with(asked.substr(0, asked.size() - 2)));
  CHECK(bodies[2].find("Somebody else may look.") == std::string::npos);
  const RunId parent = session->run();
  office.close(*session);
  const auto runs = office.runs();
  REQUIRE(runs.size() == 2);
  const SessionState child = office.fold(runs[0] == parent ? runs[1] : runs[0]);
  const auto& messages = child.transcript().messages;
  REQUIRE(messages.size() == 5);
  CHECK(messages[0].text == "good morning");
  CHECK(messages[2].text == "go");
  CHECK(messages[3].text.ends_with("look at b"));
  CHECK(messages[4].text == "b is fine.");
  CHECK(child.started()->setup.system == session->state().started()->setup.system);
}

TEST_CASE("forks of forks come to an end", "[agents]") {
  Office office;
  auto session = office.open("agents: [explorer]\n");
  for (std::size_t depth = 0; depth <= kTaskDepthMax; ++depth)
    office.script().call({call_of("task", {{"prompt", "do it"}})});
  for (const char* text : {"third", "second", "first"}) office.script().say(text);
  CHECK(office.run(*session, "go").answer == "first");
  office.close(*session);
  CHECK(office.runs().size() == 1 + kTaskDepthMax);
  CHECK(office.script().bodies[kTaskDepthMax + 1].find("starts no further ones") !=
        std::string::npos);
}

TEST_CASE("a sub-agent may do no more than its parent, whatever its document says", "[agents]") {
  Office office;
  office.dir().write("home/.config/fathom/agents/writer.yaml",
                     "apiVersion: fathom/v1\nkind: Agent\nname: writer\nprompt: You write.\n"
                     "tools: [str_replace_editor]\npolicy: default\n");
  auto session = office.open("agents: [writer, explorer]\n", "readonly");
  office.script().call({call_of("task", {{"prompt", "write"}, {"agent", "writer"}})});
  office.script().call({creates("a.txt")});
  office.script().say("I could not.");
  office.script().say("done");
  (void)office.run(*session, "go");
  CHECK_FALSE(std::filesystem::exists(office.workspace() / "a.txt"));
  CHECK(office.script().bodies[2].find("denied") != std::string::npos);
  office.close(*session);
}

TEST_CASE("a reading sub-agent of a writing parent cannot write", "[agents]") {
  Office office;
  auto session = office.open("agents: [explorer]\n");
  office.script().call(
      {call_of("task", {{"prompt", "write"}, {"agent", "explorer"}}), creates("mine.txt")});
  office.script().call({creates("a.txt")});
  office.script().say("I could not.");
  office.script().say("done");
  (void)office.run(*session, "go");
  CHECK_FALSE(std::filesystem::exists(office.workspace() / "a.txt"));
  CHECK(std::filesystem::exists(office.workspace() / "mine.txt"));
  office.close(*session);
}

TEST_CASE("a sub-agent that is gone on with stays as narrow and as deep as it was", "[agents]") {
  Office office;
  auto session = office.open("agents: [explorer]\n", "default");
  office.script().call({call_of("task", {{"prompt", "look"}, {"agent", "explorer"}})});
  office.script().say("Seen.");
  office.script().say("done");
  (void)office.run(*session, "go");
  const RunId parent = session->run();
  office.close(*session);
  const auto runs = office.runs();
  REQUIRE(runs.size() == 2);
  const RunId child = runs[0] == parent ? runs[1] : runs[0];
  auto again = office.resume(child);
  office.script().call({creates("a.txt")});
  office.script().say("I could not.");
  (void)office.run(*again, "write");
  CHECK_FALSE(std::filesystem::exists(office.workspace() / "a.txt"));
  CHECK(again->state().depth() == 1);
  CHECK(again->toolbox().policy().filesystem.workspace == policies::Access::read);
  office.close(*again);
}

TEST_CASE("a run that goes on has its agent's tool servers once, and so have its forks",
          "[agents][e2e]") {
  Office office;
  auto session = office.open("agents: [explorer]\nmcp: [\"far=http://127.0.0.1:1/\"]\n");
  const RunId parent = session->run();
  office.close(*session);
  session.reset();  // and with it the lock of its journal
  auto again = office.resume(parent);
  office.script().call({call_of("task", {{"prompt", "look"}})});
  office.script().say("Seen.");
  office.script().say("done");
  (void)office.run(*again, "go");
  const auto& told = again->state().transcript().messages.at(2).results;
  REQUIRE(told.size() == 1);
  CHECK(told[0].content == "Seen.");
  office.close(*again);
  const json once = json::array({"far=http://127.0.0.1:1/"});
  CHECK(office.first(parent, "run.resumed")["mcp"] == once);
  const auto runs = office.runs();
  REQUIRE(runs.size() == 2);
  CHECK(office.first(runs[0] == parent ? runs[1] : runs[0], "run.started")["mcp"] == once);
}

TEST_CASE("an attempt whose check fails leaves nothing in the workspace, one that passes stays",
          "[agents][e2e]") {
  Office office;
  office.dir().write("home/w/kept.txt", "as it was\n");
  auto session =
      office.open("attempts: 3\naccept: {command: [test, -f, right.txt], timeout: 30s}\n");
  office.script().call(
      {creates("wrong.txt"), call_of("str_replace_editor", {{"command", "str_replace"},
                                                            {"path", "kept.txt"},
                                                            {"old_str", "as it was"},
                                                            {"new_str", "spoilt"}})});
  office.script().say("first");
  office.script().call({creates("right.txt")});
  office.script().say("second");
  const auto report = office.attempt(*session, "make it right");
  if (!report && report.error().code == ErrorCode::unsupported) {
    skip("no sandbox here: a real check of attempts was not run: " + report.error().message);
    office.close(*session);
    return;
  }
  INFO((report ? "" : report.error().message));
  REQUIRE(report);
  CHECK(report->verdict == AttemptVerdict::accepted);
  CHECK(report->attempts == 2);
  CHECK(report->turn.answer == "second");
  CHECK_FALSE(std::filesystem::exists(office.workspace() / "wrong.txt"));
  CHECK(std::filesystem::exists(office.workspace() / "right.txt"));
  CHECK(slurp(office.workspace() / "kept.txt") == "as it was\n");
  const RunId run = session->run();
  office.close(*session);
  const SessionState state = office.fold(run);
  CHECK(state.transcript().messages == session->state().transcript().messages);
  CHECK(state.transcript().messages.size() == 4);
  REQUIRE(state.attempts());
  CHECK(state.attempts()->verdict == AttemptVerdict::accepted);
}
