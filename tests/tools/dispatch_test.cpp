#include "tools/dispatch.hpp"

#include "runtime/async/cancellation.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <nlohmann/json.hpp>

using namespace fathom;
using namespace fathom::tools;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// Reads or writes as it is told, takes some time, and says what it did.
class SlowTool final : public Tool {
 public:
  SlowTool(std::string name, Effect effect, Clock& clock, std::vector<std::string>& log)
      : spec_{std::move(name), "",
              R"({"type":"object","properties":{"text":{"type":"string"},"ms":{"type":"integer"},
              "path":{"type":"string"},"fail":{"type":"string"}},"additionalProperties":false})"},
        effect_(effect),
        clock_(clock),
        log_(log) {}

  [[nodiscard]] const ToolSpec& spec() const override { return spec_; }

  [[nodiscard]] Result<Intent> intent(const Arguments& arguments) const override {
    Intent intent{effect_, {}};
    if (const auto path = arguments.text("path")) {
      if (!path->starts_with('/')) return fail(ErrorCode::usage, "path: must be absolute");
      if (path->starts_with("/elsewhere")) return fail(ErrorCode::permission, "it is elsewhere");
      if (path->starts_with("/gone")) return fail(ErrorCode::not_found, "it is gone");
      intent.requests.emplace_back(policies::request::WritePath{*path});
    }
    return intent;
  }

  asio::awaitable<Result<ToolOutput>> run(const Call& call) override {
    log_.push_back("begin " + call.id);
    co_await clock_.sleep_for(std::chrono::milliseconds(call.arguments.integer("ms").value_or(0)));
    log_.push_back("end " + call.id);
    if (const auto why = call.arguments.text("fail")) {
      if (*why == "throw") throw std::runtime_error("broken");
      co_return fail(ErrorCode::io, *why);
    }
    ToolOutput output = ToolOutput::of(call.arguments.text("text").value_or(""));
    output.data = R"({"n":1})";
    output.changed = {"a.txt"};
    co_return output;
  }

 private:
  ToolSpec spec_;
  Effect effect_;
  Clock& clock_;
  std::vector<std::string>& log_;
};

struct Bench {
  explicit Bench(Clock& c) : clock(c) {
    policy.filesystem.workspace_root = "/w";
    std::vector<std::unique_ptr<Tool>> list;
    list.push_back(std::make_unique<SlowTool>("look", Effect::read, clock, log));
    list.push_back(std::make_unique<SlowTool>("change", Effect::write, clock, log));
    tools = ToolSet::create(std::move(list)).value();
  }

  Dispatcher dispatcher() {
    DispatchServices services{clock, offload, policy, "/w", {}, nullptr, nullptr, {}, {}, {}, {}};
    services.events = [this](trace::EventDraft draft) -> Result<trace::Position> {
      if (events_left-- == 0) return fail(ErrorCode::disk_full, "journal: disk full");
      events.push_back(draft);
      types.push_back(draft.type);
      return trace::Position{events.size(), 0};
    };
    services.approve = approve;
    services.snapshot = snapshot;
    services.outputs = outputs;
    services.blobs = blobs;
    return {tools, std::move(services)};
  }

  [[nodiscard]] json data(std::size_t at) const { return json::parse(events.at(at).data); }

  Clock& clock;
  OffloadPool offload;
  policies::Policy policy;
  std::vector<std::string> log;
  ToolSet tools;
  std::vector<trace::EventDraft> events;
  std::vector<std::string> types;
  std::size_t events_left = SIZE_MAX;
  Approver approve;
  Snapshotter snapshot;
  OutputFiles* outputs = nullptr;
  const trace::BlobStore* blobs = nullptr;
};

ToolCall call(std::string id, std::string name, std::string arguments = "{}") {
  return {std::move(id), std::move(name), std::move(arguments), ""};
}

// Runs `body(Bench&)` on virtual time.
template <class Body>
void with_bench(Body body) {
  test::run_coro([&](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator.clock());
    co_await body(bench);
  });
}

using Types = std::vector<std::string>;

}  // namespace

TEST_CASE("a call leaves its whole way in the trace", "[tools]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    Dispatcher dispatcher = bench.dispatcher();
    const auto report =
        (co_await dispatcher.dispatch(call("c1", "change", R"({"text":"done","ms":5})"))).value();
    CHECK(report.result.call_id == "c1");
    CHECK(report.result.status == ToolStatus::ok);
    CHECK(report.result.content == "done");
    CHECK(report.data == R"({"n":1})");
    CHECK(bench.types ==
          Types{"tool.requested", "tool.decided", "tool.started", "file.changed", "tool.finished"});
    CHECK(bench.data(0) == json::parse(R"({"call":"c1","tool":"change",
          "arguments":"{\"text\":\"done\",\"ms\":5}"})"));
    CHECK(bench.data(4) == json::parse(R"({"call":"c1","status":"ok","us":5000,"blob":"",
          "content":"done","data":{"n":1}})"));
    CHECK(bench.events[4].cause == 1);
    for (const std::string& type : bench.types) CHECK(trace::durability_of(type));
  });
}

TEST_CASE("what a model gets wrong is a failed result that says what to send", "[tools]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    Dispatcher dispatcher = bench.dispatcher();
    const auto content = [&](ToolCall wrong) -> asio::awaitable<std::string> {
      const auto report = (co_await dispatcher.dispatch(std::move(wrong))).value();
      CHECK(report.result.status == ToolStatus::failed);
      CHECK(report.error.has_value());
      co_return report.result.content;
    };
    CHECK(co_await content(call("1", "lok")) ==
          "error: no tool 'lok' (did you mean 'look'?); tools: look, change");
    CHECK((co_await content(call("2", "look", "["))).starts_with("error: look: arguments: "));
    CHECK((co_await content(call("3", "look", R"({"txt":1})")))
              .starts_with("error: look: unknown 'txt' (did you mean 'text'?); look("));
    CHECK(co_await content(call("4", "look", R"({"path":"x"})")) ==
          "error: path: must be absolute");
    CHECK(co_await content(call("5", "look", R"({"fail":"no such file"})")) ==
          "error: no such file");
    CHECK(co_await content(call("6", "look", R"({"fail":"throw"})")) ==
          "error: look: failed inside: broken");
    CHECK(bench.log == Types{"begin 5", "end 5", "begin 6", "end 6"});
  });
}

TEST_CASE("arguments that are never right are told from those that are wrong here", "[tools]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    Dispatcher dispatcher = bench.dispatcher();
    const auto is_malformed = [&](ToolCall wrong) -> asio::awaitable<bool> {
      co_return (co_await dispatcher.dispatch(std::move(wrong))).value().malformed;
    };
    CHECK(co_await is_malformed(call("1", "lok")));
    CHECK(co_await is_malformed(call("2", "look", "[")));
    CHECK(co_await is_malformed(call("3", "look", R"({"txt":1})")));
    CHECK(co_await is_malformed(call("4", "look", R"({"path":"x"})")));
    CHECK_FALSE(co_await is_malformed(call("5", "look", R"({"path":"/gone"})")));
    CHECK_FALSE(co_await is_malformed(call("6", "look", R"({"path":"/elsewhere"})")));
    CHECK_FALSE(co_await is_malformed(call("7", "look", R"({"fail":"no such file"})")));
  });
}

TEST_CASE("what a tool refuses by itself is a denial in the trace", "[tools]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    Dispatcher dispatcher = bench.dispatcher();
    const auto report =
        (co_await dispatcher.dispatch(call("1", "change", R"({"path":"/elsewhere"})"))).value();
    CHECK(report.result.status == ToolStatus::denied);
    CHECK(report.result.content == "denied: it is elsewhere (rule tool.change)");
    CHECK(report.decision.verdict == policies::Verdict::deny);
    CHECK(bench.types == Types{"tool.requested", "tool.decided", "tool.finished"});
    CHECK(bench.data(1) == json({{"call", "1"},
                                 {"verdict", "deny"},
                                 {"rule", "tool.change"},
                                 {"reason", "it is elsewhere"},
                                 {"grant", ""}}));
    CHECK(bench.log.empty());
  });
}

TEST_CASE("a tool is told what was decided about its call", "[tools]") {
  class Listening final : public Tool {
   public:
    explicit Listening(std::vector<std::string>& decided) : decided_(decided) {}
    [[nodiscard]] const ToolSpec& spec() const override {
      static const ToolSpec spec{"listen", "", R"({"type":"object"})"};
      return spec;
    }
    [[nodiscard]] Result<Intent> intent(const Arguments& arguments) const override {
      return Intent{Effect::read,
                    {policies::request::ReadPath{arguments.text("path").value_or("")}}};
    }
    asio::awaitable<Result<ToolOutput>> run(const Call& call) override {
      decided_.push_back(std::get<policies::request::ReadPath>(call.intent->requests.front()).path);
      co_return ToolOutput{};
    }

   private:
    std::vector<std::string>& decided_;
  };
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    std::vector<std::string> decided;
    std::vector<std::unique_ptr<Tool>> list;
    list.push_back(std::make_unique<Listening>(decided));
    bench.tools = ToolSet::create(std::move(list)).value();
    Dispatcher dispatcher = bench.dispatcher();
    (void)(co_await dispatcher.dispatch(call("1", "listen", R"({"path":"/w/a"})"))).value();
    CHECK(decided == Types{"/w/a"});
  });
}

TEST_CASE("a denied call does not run and names the rule", "[tools]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    Dispatcher dispatcher = bench.dispatcher();
    const auto report =
        (co_await dispatcher.dispatch(call("c", "change", R"({"path":"/etc/passwd"})"))).value();
    CHECK(report.result.status == ToolStatus::denied);
    CHECK(report.result.content.starts_with("denied: "));
    CHECK(report.decision.verdict == policies::Verdict::deny);
    CHECK(report.error->code == ErrorCode::permission);
    CHECK(bench.log.empty());
    CHECK(bench.types == Types{"tool.requested", "tool.decided", "tool.finished"});
  });
}

TEST_CASE("what the policy leaves open is asked, and nobody there is a denial", "[tools]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bench.policy.exec.otherwise = policies::Verdict::ask;
    class Exec final : public Tool {
     public:
      [[nodiscard]] const ToolSpec& spec() const override { return spec_; }
      [[nodiscard]] Result<Intent> intent(const Arguments&) const override {
        return Intent{Effect::write, {policies::request::Exec{{"rm"}, "/w"}}};
      }
      asio::awaitable<Result<ToolOutput>> run(const Call&) override {
        co_return ToolOutput::of("ran");
      }

     private:
      ToolSpec spec_{"exec", "", R"({"type":"object"})"};
    };
    std::vector<std::unique_ptr<Tool>> list;
    list.push_back(std::make_unique<Exec>());
    bench.tools = ToolSet::create(std::move(list)).value();
    Dispatcher nobody = bench.dispatcher();
    CHECK((co_await nobody.dispatch(call("1", "exec"))).value().result.status ==
          ToolStatus::denied);
    bench.approve = [](const ToolCall&, const policies::Decision&) -> asio::awaitable<Approval> {
      co_return Approval::given;
    };
    Dispatcher somebody = bench.dispatcher();
    bench.types.clear();
    CHECK((co_await somebody.dispatch(call("2", "exec"))).value().result.content == "ran");
    CHECK(bench.types == Types{"tool.requested", "tool.decided", "approval.requested",
                               "approval.answered", "tool.started", "tool.finished"});
    bench.approve = [](const ToolCall&, const policies::Decision&) -> asio::awaitable<Approval> {
      co_return Approval::refused;
    };
    Dispatcher refuser = bench.dispatcher();
    CHECK((co_await refuser.dispatch(call("3", "exec"))).value().result.status ==
          ToolStatus::denied);
  });
}

TEST_CASE("a writer runs after a snapshot, and not without one", "[tools]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    bool works = true;
    bench.snapshot = [&](const ToolCall&) -> asio::awaitable<Result<std::string>> {
      if (!works) co_return fail(ErrorCode::disk_full, "no space");
      co_return "s1";
    };
    Dispatcher dispatcher = bench.dispatcher();
    (void)co_await dispatcher.dispatch(call("1", "change"));
    CHECK(bench.types[2] == "tool.snapshot");
    CHECK(bench.data(2) == json::parse(R"({"call":"1","snapshot":"s1"})"));
    works = false;
    const auto report = (co_await dispatcher.dispatch(call("2", "change"))).value();
    CHECK(report.result.content == "error: snapshot before the call: no space");
    CHECK((co_await dispatcher.dispatch(call("3", "look"))).value().result.status ==
          ToolStatus::ok);
    CHECK(bench.log == Types{"begin 1", "end 1", "begin 3", "end 3"});
  });
}

TEST_CASE("readers of one sample run side by side, writers alone, results in call order",
          "[tools]") {
  test::for_each_seed(20, [](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator.clock());
    Dispatcher dispatcher = bench.dispatcher();
    std::vector<ToolCall> calls = {call("r1", "look", R"({"text":"1","ms":30})"),
                                   call("r2", "look", R"({"text":"2","ms":10})"),
                                   call("w3", "change", R"({"text":"3","ms":5})"),
                                   call("r4", "look", R"({"text":"4"})"),
                                   call("w5", "change", R"({"text":"5"})")};
    const auto reports = (co_await dispatcher.dispatch_all(std::move(calls))).value();
    std::string order;
    for (const CallReport& report : reports) order += report.result.content;
    CHECK(order == "12345");
    REQUIRE(bench.log.size() == 10);
    CHECK(Types(bench.log.begin() + 2, bench.log.end()) == Types{"end r2", "end r1", "begin w3",
                                                                 "end w3", "begin r4", "end r4",
                                                                 "begin w5", "end w5"});
  });
}

TEST_CASE("one call of several can be cancelled, the others go on", "[tools]") {
  test::run_coro([](Simulator& simulator) -> asio::awaitable<void> {
    Bench bench(simulator.clock());
    Dispatcher dispatcher = bench.dispatcher();
    const auto cancel_later = [&]() -> asio::awaitable<void> {
      co_await bench.clock.sleep_for(10ms);
      dispatcher.cancel("r1");
      dispatcher.cancel("nobody");
    };
    TaskGroup group(co_await asio::this_coro::executor);
    group.spawn(cancel_later());
    std::vector<ToolCall> calls = {call("r1", "look", R"({"ms":1000})"),
                                   call("r2", "look", R"({"ms":50,"text":"2"})")};
    const auto reports = (co_await dispatcher.dispatch_all(std::move(calls))).value();
    co_await group.join();
    CHECK(reports[0].result.status == ToolStatus::cancelled);
    CHECK(reports[0].result.content == "cancelled");
    CHECK(reports[1].result.content == "2");
    CHECK(bench.log == Types{"begin r1", "begin r2", "end r2"});
  });
}

TEST_CASE("a cancelled caller unwinds, and the trace says how each begun call ended", "[tools]") {
  // At every step of the way.
  for (std::uint64_t steps = 1; steps < 60; ++steps) {
    Simulator simulator(1);
    Bench bench(simulator.clock());
    Dispatcher dispatcher = bench.dispatcher();
    asio::cancellation_signal stop;
    bool ended = false;
    const auto body = [&]() -> asio::awaitable<void> {
      std::vector<ToolCall> calls = {call("r1", "look", R"({"ms":10})"),
                                     call("w2", "change", R"({"ms":10})")};
      (void)co_await dispatcher.dispatch_all(std::move(calls));
    };
    asio::co_spawn(simulator.executor(), body(),
                   asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr error) {
                     CHECK((!error || is_cancellation(error)));
                     ended = true;
                   }));
    simulator.run_steps(steps);
    stop.emit(asio::cancellation_type::terminal);
    simulator.run_until_idle();
    INFO("after " << steps << " steps");
    CHECK(ended);
    const auto count = [&](std::string_view type) {
      return std::ranges::count(bench.types, std::string(type));
    };
    CHECK(count("tool.started") <= count("tool.finished"));
  }
}

TEST_CASE("a call that cannot be written to the trace does not run", "[tools]") {
  with_bench([](Bench& bench) -> asio::awaitable<void> {
    for (std::size_t left = 0; left < 3; ++left) {
      bench.events_left = left;
      Dispatcher dispatcher = bench.dispatcher();
      const auto report = co_await dispatcher.dispatch(call("c", "change"));
      REQUIRE_FALSE(report);
      CHECK(report.error().code == ErrorCode::disk_full);
    }
    CHECK(bench.log.empty());
  });
}

TEST_CASE("a long result is cut for the model and whole in a file, long texts leave the event",
          "[tools]") {
  const test::TempDir dir;
  const auto blobs = trace::BlobStore::open(dir / "blobs").value();
  OutputFiles files = OutputFiles::create(dir / "outputs", blobs).value();
  asio::io_context io;
  SystemClock clock;
  Bench bench(clock);
  bench.blobs = &blobs;
  bench.outputs = &files;
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i) + "\n";
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        Dispatcher dispatcher = bench.dispatcher();
        const auto report =
            (co_await dispatcher.dispatch(call("c", "look", json{{"text", text}}.dump()))).value();
        CHECK(report.text_cut);
        CHECK(estimate_tokens(report.result.content) < kResultTokensMax + 100);
        CHECK(report.result.content.find("all of it: " + (dir / "outputs/1.txt").string()) !=
              std::string::npos);
        CHECK(test::slurp(dir / "outputs/1.txt") == text);
        CHECK(blobs.contains(report.result.blob));
        for (const trace::EventDraft& event : bench.events)
          CHECK(event.data.size() < trace::kEventBytesMax / 2);
        CHECK(bench.data(0)["arguments"]["size"] == json{{"text", text}}.dump().size());
        CHECK(blobs.contains(bench.data(0)["arguments"]["ref"].get<std::string>()));
      },
      [](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);
      });
  io.run();
}
