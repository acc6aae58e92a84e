#include "agents/session.hpp"

#include "agents/session_store.hpp"
#include "runtime/async/cancellation.hpp"
#include "runtime/async/signal.hpp"
#include "runtime/trace/journal_reader.hpp"
#include "tests/agents/agent_rig.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <filesystem>

using namespace fathom;
using namespace fathom::agents;
using namespace fathom::test;
using namespace std::chrono_literals;

namespace {

// Whole sessions in a home of their own, with scripted models and tools that start no process.
class Desk {
 public:
  Desk() {
    std::filesystem::create_directories(home_ / "w");
    auto zygote = sandbox::ZygoteProcess::start();
    REQUIRE(zygote);
    zygote_ = *std::move(zygote);
  }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  /// `agent` is what its document says besides its name.
  SessionOptions options(const std::string& agent = "") {
    SessionOptions options;
    options.document =
        "apiVersion: fathom/v1\nkind: Agent\nname: tester\nprompt: You test.\n"
        "tools: [str_replace_editor]\nengine: \"openai:http://127.0.0.1:1/v1#weak\"\n" +
        agent;
    auto document = load_agent(options.document, "agent.yaml");
    INFO((document ? "" : document.error().message));
    REQUIRE(document);
    options.agent = *std::move(document);
    options.tools.repository = home_ / "w";
    return options;
  }
  /// With a tool `look` besides the agent's own.
  SessionOptions with_look(SessionOptions options, std::string command = "", Duration takes = {}) {
    options.tools.more.push_back(std::make_unique<FunctionTool>(
        "look", tools::Effect::read, clock_,
        [this, takes](const std::string& text) {
          ++looks;
          return FunctionTool::Answer{"seen " + text, takes, {}};
        },
        std::move(command)));
    return options;
  }

  Result<std::unique_ptr<Session>> start(SessionOptions options) {
    return to_end(Session::start(around(), std::move(options)));
  }
  std::unique_ptr<Session> started(SessionOptions options) {
    return opened(start(std::move(options)));
  }
  std::unique_ptr<Session> resumed(const RunId& run, SessionOptions options) {
    return opened(to_end(Session::resume(around(), run, std::move(options))));
  }
  TurnReport turn(Session& session, std::string text) {
    auto report = to_end(session.run_turn(std::move(text)));
    REQUIRE(report);
    return *report;
  }
  TurnReport go_on(Session& session) {
    auto report = to_end(session.go_on());
    REQUIRE(report);
    return *report;
  }
  /// Ends the session; its run.
  RunId close(std::unique_ptr<Session> session, int exit_code = 0) {
    const RunId run = session->run();
    REQUIRE(to_end(session->close(exit_code)));
    return run;
  }

  /// Runs a task to its end, or until `stop` fires: nothing then.
  template <class T>
  std::optional<T> until(asio::awaitable<T> task, asio::cancellation_signal& stop) {
    std::optional<T> result;
    std::exception_ptr failure;
    asio::co_spawn(
        io_, std::move(task),
        asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr error, T value) {
          failure = error;
          if (!error) result = std::move(value);
          io_.stop();  // a journal's own work goes on
        }));
    io_.restart();
    io_.run();
    if (failure && !is_cancellation(failure)) std::rethrow_exception(failure);
    return result;
  }
  template <class T>
  T to_end(asio::awaitable<T> task) {
    asio::cancellation_signal never;
    auto result = until(std::move(task), never);
    REQUIRE(result);
    return *std::move(result);
  }

  [[nodiscard]] RunStore runs() const {
    return RunStore::open(home_ / ".local/state/fathom").value();
  }
  [[nodiscard]] std::vector<std::string> types(const RunId& run) const {
    std::vector<std::string> types;
    auto reader = trace::JournalReader::open(runs().journal(run));
    REQUIRE(reader);
    for (;;) {
      const auto event = reader->next();
      REQUIRE(event);
      if (!*event) return types;
      types.push_back((*event)->what.type);
    }
  }
  [[nodiscard]] std::vector<Message> messages(const RunId& run) const {
    const auto blobs = trace::BlobStore::open(runs().blobs()).value();
    return read_session(runs().journal(run), blobs).value().transcript().messages;
  }
  /// What a model named after the `#` of a SPEC says.
  Script& script(const std::string& model = "weak") { return *engine(model).script; }
  SystemClock& clock() { return clock_; }
  asio::io_context& io() { return io_; }

  int looks = 0;

 private:
  ScriptedEngine& engine(const std::string& model) {
    auto& place = engines_[model];
    if (!place) {
      place = std::make_unique<ScriptedEngine>(clock_);
      place->change_info().name = model;
    }
    return *place;
  }
  asio::awaitable<Result<engine::Engine*>> open_engine(std::string spec) {
    const std::string model = spec.substr(spec.find('#') + 1);
    if (model == "gone") co_return fail(ErrorCode::network, "gone: nobody is there");
    co_return &engine(model);
  }
  Session::Surroundings around() {
    return {{*zygote_, clock_, offload_, io_.get_executor(), env_},
            [this](std::string_view spec) { return open_engine(std::string(spec)); }};
  }
  static std::unique_ptr<Session> opened(Result<std::unique_ptr<Session>> session) {
    INFO((session ? "" : session.error().message));
    REQUIRE(session);
    return *std::move(session);
  }

  TempDir dir_;
  std::filesystem::path home_ = std::filesystem::canonical(dir_.path()) / "home";
  SystemClock clock_;
  OffloadPool offload_;
  asio::io_context io_{1};
  GetEnv env_ = [this](const char* name) {
    return std::string_view(name) == "HOME" ? home_.string() : std::string();
  };
  std::unique_ptr<sandbox::ZygoteProcess> zygote_;
  std::map<std::string, std::unique_ptr<ScriptedEngine>> engines_;
};

}  // namespace

TEST_CASE("a session goes on from its journal with the bytes that it had", "[agents][e2e]") {
  Desk desk;
  auto session = desk.started(desk.with_look(desk.options()));
  desk.script().call({call("look", "a")}, "I look.");
  desk.script().say("There is an a.");
  CHECK(desk.turn(*session, "look").answer == "There is an a.");
  const std::vector<Message> before = session->state().transcript().messages;
  const RunId run = desk.close(std::move(session));
  CHECK(desk.messages(run) == before);

  // Another agent by the same name: what counts is the journal's.
  SessionOptions later = desk.with_look(SessionOptions());
  later.agent.prompt = "You are someone else.";
  auto again = desk.resumed(run, std::move(later));
  CHECK(again->agent().prompt == "You test.");
  CHECK(again->state().transcript().messages == before);
  desk.script().say("Still.");
  CHECK(desk.turn(*again, "and now?").answer == "Still.");
  const auto& bodies = desk.script().bodies;
  REQUIRE(bodies.size() == 3);
  for (std::size_t i = 1; i < bodies.size(); ++i)
    CHECK(bodies[i].starts_with(bodies[i - 1].substr(0, bodies[i - 1].size() - 2)));
  desk.close(std::move(again));
}

TEST_CASE("a turn that was left open is gone on with, and its call is not run twice",
          "[agents][e2e]") {
  Desk desk;
  asio::cancellation_signal stop;
  SessionOptions options = desk.with_look(desk.options(), "", 1h);
  options.on_event = [&](const trace::EventDraft& event) {
    // Not from inside the session itself: it is in the middle of a step.
    if (event.type == "tool.started")
      asio::post(desk.io(), [&] { stop.emit(asio::cancellation_type::terminal); });
  };
  auto session = desk.started(std::move(options));
  desk.script().call({call("look", "a")});
  CHECK_FALSE(desk.until(session->run_turn("look"), stop));
  CHECK(session->is_turn_open());
  const RunId run = desk.close(std::move(session), 130);

  auto again = desk.resumed(run, desk.with_look(SessionOptions()));
  CHECK(again->is_turn_open());
  const auto refused = desk.to_end(again->run_turn("something else"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.ends_with("is in the middle of a turn: resume it first"));
  desk.script().say("I saw no more.");
  CHECK(desk.go_on(*again).end == TurnEnd::answered);
  CHECK(desk.looks == 1);
  const Message& told = again->state().transcript().messages.at(2);
  REQUIRE(told.results.size() == 1);
  CHECK(told.results[0].status == ToolStatus::cancelled);
  const auto nothing = desk.to_end(again->go_on());
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().message.ends_with("has no open turn: give it a task"));
  desk.close(std::move(again));
}

TEST_CASE("what was said about a call stays said, and unsaid it is asked again", "[agents][e2e]") {
  using tools::Approval;
  const bool given = GENERATE(true, false);
  Desk desk;
  int asked = 0;
  const auto answering = [&](SessionOptions options, Approval approval) {
    options.tools.approve = [&asked, approval](
                                const ToolCall&,
                                const policies::Decision&) -> asio::awaitable<Approval> {
      ++asked;
      co_return approval;
    };
    return desk.with_look(std::move(options), "push");
  };
  const TempDir dir;
  SessionOptions first = desk.options();
  first.tools.policy =
      dir.write("ask.yaml",
                "apiVersion: fathom/v1\nkind: Policy\nname: ask\nexec:\n"
                "  rules: [{id: p, verdict: ask, commands: [push], reason: why}]\n");
  auto session = desk.started(answering(std::move(first), Approval::later));
  desk.script().call({call("look", "a")});
  CHECK(desk.turn(*session, "push").end == TurnEnd::suspended);
  RunId run = desk.close(std::move(session), 13);
  auto unsaid = desk.resumed(run, answering({}, Approval::later));
  CHECK(desk.go_on(*unsaid).end == TurnEnd::suspended);
  CHECK(asked == 2);
  // As `fathom approve` does, with the journal of nobody else.
  trace::EventDraft answer;
  answer.type = "approval.answered";
  answer.data = R"({"call":"call-1","given":)" + std::string(given ? "true}" : "false}");
  REQUIRE(unsaid->toolbox().journal().append(std::move(answer)));
  run = desk.close(std::move(unsaid), 13);

  auto again = desk.resumed(run, answering({}, given ? Approval::later : Approval::given));
  desk.script().say("Good.");
  CHECK(desk.go_on(*again).end == TurnEnd::answered);
  CHECK(asked == 2);
  CHECK(desk.looks == (given ? 1 : 0));
  const Message& told = again->state().transcript().messages.at(2);
  CHECK(told.results.at(0).status == (given ? ToolStatus::ok : ToolStatus::denied));
  desk.close(std::move(again));
}

TEST_CASE("a fork goes its own way, and the session it came from stays", "[agents][e2e]") {
  Desk desk;
  auto session = desk.started(desk.options());
  desk.script().say("One.");
  (void)desk.turn(*session, "first");
  const RunId parent = desk.close(std::move(session));
  const std::vector<Message> before = desk.messages(parent);
  const RunId child = RunStore::new_run(desk.clock());
  REQUIRE(fork_session(desk.runs(), {parent, {}}, child, desk.clock()));
  auto fork = desk.resumed(child, {});
  desk.script().say("Two.");
  CHECK(desk.turn(*fork, "second").answer == "Two.");
  CHECK(fork->state().turns() == 2);
  CHECK(fork->run() == child);
  desk.close(std::move(fork));
  CHECK(desk.messages(parent) == before);
  const std::vector<Message> after = desk.messages(child);
  REQUIRE(after.size() == before.size() + 2);
  CHECK(std::vector(after.begin(), after.begin() + 2) == before);
}

TEST_CASE("a stronger engine takes over once where the agent says so", "[agents][e2e]") {
  Desk desk;
  auto session = desk.started(desk.options(
      "escalate: {to: \"openai:http://127.0.0.1:1/v1#strong\", on: [engine_error]}\n"));
  desk.script().fail_with(engine::FaultClass::refused);
  desk.script("strong").say("I can.");
  CHECK(desk.turn(*session, "do it").answer == "I can.");
  CHECK(desk.script("strong").asked.messages.at(0).text == "do it");
  desk.script("strong").fail_with(engine::FaultClass::refused);
  CHECK(desk.turn(*session, "more").end == TurnEnd::engine_error);
  const std::vector<std::string> types = desk.types(desk.close(std::move(session)));
  CHECK(std::ranges::count(types, "agent.escalated") == 1);
}

TEST_CASE("the engine that took over goes on after resuming, and takes over once",
          "[agents][e2e]") {
  Desk desk;
  auto session = desk.started(desk.options(
      "escalate: {to: \"openai:http://127.0.0.1:1/v1#strong\", on: [engine_error]}\n"));
  desk.script().fail_with(engine::FaultClass::refused);
  desk.script("strong").say("I can.");
  CHECK(desk.turn(*session, "do it").answer == "I can.");
  const RunId run = desk.close(std::move(session));
  auto again = desk.resumed(run, {});
  desk.script("strong").say("I still can.");
  CHECK(desk.turn(*again, "more").answer == "I still can.");
  const std::vector<std::string> types = desk.types(desk.close(std::move(again)));
  CHECK(std::ranges::count(types, "agent.escalated") == 1);
}

TEST_CASE("a schema that came from a file holds after resuming", "[agents][e2e]") {
  Desk desk;
  SessionOptions options = desk.options("output: {schema: answer.json}\n");
  options.agent.answer_schema = R"({"type":"object","required":["ok"]})";
  options.agent.answer_schema_file.clear();
  auto session = desk.started(std::move(options));
  desk.script().say(R"({"ok":1})");
  CHECK(desk.turn(*session, "is it?").end == TurnEnd::answered);
  const RunId run = desk.close(std::move(session));
  auto again = desk.resumed(run, {});
  desk.script().say("yes");
  desk.script().say(R"({"ok":2})");
  CHECK(desk.turn(*again, "and now?").answer == R"({"ok":2})");
  desk.close(std::move(again));
}

TEST_CASE("a session that cannot begin ends its journal and says why", "[agents][e2e]") {
  Desk desk;
  SessionOptions options = desk.options();
  options.engine = "openai:http://127.0.0.1:1/v1#gone";
  const auto failed = desk.start(std::move(options));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message == "gone: nobody is there");
  const auto left = desk.runs().list();
  REQUIRE(left);
  REQUIRE(left->size() == 1);
  CHECK(desk.types(left->front()) == std::vector<std::string>{"run.started", "run.finished"});
}

TEST_CASE("a budget narrows the agent's, and what was spent counts after resuming",
          "[agents][e2e]") {
  Desk desk;
  SessionOptions options = desk.with_look(desk.options("budget: {steps: 50, tokens: 5000}\n"));
  options.budget.tokens = 1000;
  auto session = desk.started(std::move(options));
  CHECK(session->ledger().budget().tokens == 1000);
  CHECK(session->ledger().budget().steps == 50);
  desk.script().say("Said.", {.prompt_tokens = 900, .completion_tokens = 200});
  (void)desk.turn(*session, "look");
  const RunId run = desk.close(std::move(session));
  SessionOptions later;
  later.budget.tokens = 1000;
  auto again = desk.resumed(run, std::move(later));
  desk.script().say("Never heard.");
  CHECK(desk.turn(*again, "more").end == TurnEnd::budget);
  CHECK(desk.script().bodies.size() == 1);
  desk.close(std::move(again));
}

TEST_CASE("the limit of steps is one of the whole run, also after it goes on", "[agents][e2e]") {
  Desk desk;
  SessionOptions options = desk.with_look(desk.options("budget: {steps: 3}\n"));
  auto session = desk.started(std::move(options));
  desk.script().call({call("look", "a")});
  desk.script().say("An a.");
  CHECK(desk.turn(*session, "look").end == TurnEnd::answered);
  const RunId run = desk.close(std::move(session));
  auto again = desk.resumed(run, desk.with_look(SessionOptions()));
  desk.script().call({call("look", "b")});
  desk.script().say("I saw a and b.");
  const TurnReport wrapped = desk.turn(*again, "look again");
  CHECK(wrapped.end == TurnEnd::step_limit);
  CHECK(wrapped.why == "the limit of 3 steps was reached");
  CHECK(wrapped.answer == "I saw a and b.");
  CHECK(desk.script().may_call.back() == false);
  CHECK(desk.turn(*again, "and c?").end == TurnEnd::step_limit);
  CHECK(desk.script().bodies.size() == 4);
  desk.close(std::move(again));
}

TEST_CASE("a turn that is gone on with has the steps that it had left", "[agents][e2e]") {
  Desk desk;
  asio::cancellation_signal stop;
  SessionOptions options = desk.with_look(desk.options("budget: {steps: 3}\n"), "", 1h);
  options.on_event = [&](const trace::EventDraft& event) {
    if (event.type == "tool.started")
      asio::post(desk.io(), [&] { stop.emit(asio::cancellation_type::terminal); });
  };
  auto session = desk.started(std::move(options));
  desk.script().say("Hello.");
  (void)desk.turn(*session, "hello");
  desk.script().call({call("look", "a")});
  CHECK_FALSE(desk.until(session->run_turn("look"), stop));
  const RunId run = desk.close(std::move(session), 130);
  auto again = desk.resumed(run, desk.with_look(SessionOptions()));
  desk.script().call({call("look", "b")});
  desk.script().say("That was all.");
  CHECK(desk.go_on(*again).end == TurnEnd::step_limit);
  CHECK(desk.script().bodies.size() == 4);
  desk.close(std::move(again));
}

TEST_CASE("a run goes on within the budget that it was begun with, or a new one", "[agents][e2e]") {
  Desk desk;
  SessionOptions options = desk.options("budget: {steps: 50, usd: 9}\n");
  options.budget.tokens = 1000;
  options.budget.usd = 2;
  options.budget.wall = 90s;
  auto session = desk.started(std::move(options));
  desk.script().say("Said.");
  (void)desk.turn(*session, "say");
  const Budget begun = session->ledger().budget();
  const RunId run = desk.close(std::move(session));
  auto again = desk.resumed(run, {});
  CHECK(again->ledger().budget() == begun);
  CHECK(std::ranges::count(desk.types(run), "agent.budget") == 1);
  desk.close(std::move(again));
  SessionOptions more;
  more.budget.usd = 20;
  more.budget.tokens = 5000;
  auto renewed = desk.resumed(run, std::move(more));
  CHECK(renewed->ledger().budget().usd == 9);  // the agent's document still counts
  CHECK(renewed->ledger().budget().tokens == 5000);
  CHECK(renewed->ledger().budget().wall == begun.wall);
  desk.close(std::move(renewed));
  auto last = desk.resumed(run, {});
  CHECK(last->ledger().budget().tokens == 5000);
  desk.close(std::move(last));
}

TEST_CASE("a fork has the limits of the run it came from and spends from none of it",
          "[agents][e2e]") {
  Desk desk;
  SessionOptions options = desk.options("budget: {steps: 2}\n");
  options.budget.tokens = 1000;
  auto session = desk.started(std::move(options));
  desk.script().say("One.", {.prompt_tokens = 900, .completion_tokens = 200});
  (void)desk.turn(*session, "first");
  const std::string cache_key = session->state().started()->setup.cache_key;
  const RunId parent = desk.close(std::move(session));
  const RunId child = RunStore::new_run(desk.clock());
  REQUIRE(fork_session(desk.runs(), {parent, {}}, child, desk.clock()));
  auto fork = desk.resumed(child, {});
  CHECK(fork->ledger().spent() == Spent());
  CHECK(fork->ledger().budget().tokens == 1000);
  // What is resident at the engine is the parent's prefix: both are to find it.
  CHECK(fork->state().started()->setup.cache_key == cache_key);
  desk.script().say("Two.");
  CHECK(desk.turn(*fork, "second").end == TurnEnd::answered);
  CHECK(fork->state().spent().steps == 1);
  desk.close(std::move(fork));
  auto again = desk.resumed(parent, {});
  CHECK(desk.turn(*again, "more").end == TurnEnd::budget);
  desk.close(std::move(again));
}

TEST_CASE("what a running tool prints is shown before it ends", "[agents][e2e]") {
  // Prints, and ends when somebody has seen it.
  class Printer final : public tools::Tool {
   public:
    explicit Printer(const bool& is_seen, Signal& seen) : is_seen_(is_seen), seen_(seen) {
      spec_.name = "print";
      spec_.parameters = R"({"type":"object"})";
    }
    [[nodiscard]] const tools::ToolSpec& spec() const override { return spec_; }
    [[nodiscard]] Result<tools::Intent> intent(const tools::Arguments&) const override {
      return tools::Intent{tools::Effect::read, {}};
    }
    asio::awaitable<Result<tools::ToolOutput>> run(const tools::Call& call) override {
      call.on_output("one\n");
      call.on_output("two\n");
      while (!is_seen_) co_await seen_.wait();
      co_return tools::ToolOutput::of("one\ntwo\n");
    }

   private:
    const bool& is_seen_;
    Signal& seen_;
    tools::ToolSpec spec_;
  };
  Desk desk;
  bool is_seen = false;
  Signal seen(desk.io().get_executor());
  std::vector<std::string> outputs;
  SessionOptions options = desk.options();
  options.tools.more.push_back(std::make_unique<Printer>(is_seen, seen));
  options.on_event = [&](const trace::EventDraft& event) {
    if (event.type != "tool.output") return;
    outputs.push_back(event.data);
    is_seen = true;
    seen.notify_all();
  };
  auto session = desk.started(std::move(options));
  desk.script().call({{"", "print", "{}", ""}});
  desk.script().say("Printed.");
  CHECK(desk.turn(*session, "print").end == TurnEnd::answered);
  CHECK(outputs == std::vector<std::string>{R"({"call":"call-1","text":"one\ntwo\n"})"});
  const RunId run = desk.close(std::move(session));
  CHECK(std::ranges::count(desk.types(run), "tool.output") == 0);  // ephemeral
}

TEST_CASE("tools that are others now are named, and the model keeps what it was told",
          "[agents][e2e]") {
  Desk desk;
  auto session = desk.started(desk.with_look(desk.options()));
  CHECK(session->notes().empty());
  desk.script().say("Seen.");
  (void)desk.turn(*session, "look");
  const RunId run = desk.close(std::move(session));
  auto again = desk.resumed(run, {});
  CHECK(again->notes() ==
        std::vector<std::string>{"the tool 'look' has changed since the session began"});
  desk.script().call({call("look", "b")});
  desk.script().say("It is gone.");
  CHECK(desk.turn(*again, "again").end == TurnEnd::answered);
  CHECK(desk.looks == 0);
  desk.close(std::move(again));
}

TEST_CASE("an answer may be any JSON value that its schema describes", "[agents][e2e]") {
  Desk desk;
  auto session = desk.started(desk.options(
      "output: {schema: {type: array, minItems: 1, items: {type: object, required: [at],\n"
      "  properties: {at: {type: ['integer', 'null']}}}}}\n"));
  desk.script().say(R"({"at":1})");
  desk.script().say(R"([{"at":1,"at":2}])");
  desk.script().say(R"([{"at":null},{"at":3}])");
  const TurnReport report = desk.turn(*session, "where?");
  CHECK(report.end == TurnEnd::answered);
  CHECK(report.answer == R"([{"at":null},{"at":3}])");
  CHECK(report.steps == 3);
  desk.close(std::move(session));
}

TEST_CASE("an answer of the wrong form is asked for again with what is wrong", "[agents][e2e]") {
  Desk desk;
  auto session = desk.started(desk.options(
      "output: {schema: {type: object, required: [ok], properties: {ok: {type: boolean}}}}\n"));
  desk.script().say("All is well.");
  desk.script().say(R"({"ok":true})");
  const TurnReport report = desk.turn(*session, "is it?");
  CHECK(report.end == TurnEnd::answered);
  CHECK(report.answer == R"({"ok":true})");
  CHECK(report.steps == 2);
  desk.close(std::move(session));
}
