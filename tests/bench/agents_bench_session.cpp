#include "tests/bench/agents_bench_session.hpp"

#include "agents/document/agent_files.hpp"

#include <fstream>
#include <stdexcept>
#include <utility>

namespace fathom::agents {
namespace {

class NoteTool final : public tools::Tool {
 public:
  explicit NoteTool(std::size_t result_bytes) : result_bytes_(result_bytes) {}
  [[nodiscard]] const tools::ToolSpec& spec() const override {
    static const tools::ToolSpec kSpec{
        "note", "Takes a note.",
        R"({"type":"object","properties":{"text":{"type":"string"}},)"
        R"("additionalProperties":false})"};
    return kSpec;
  }
  [[nodiscard]] Result<tools::Intent> intent(const tools::Arguments&) const override {
    return tools::Intent{tools::Effect::read, {}};
  }
  asio::awaitable<Result<tools::ToolOutput>> run(const tools::Call& call) override {
    std::string text = "noted " + call.arguments.text("text").value_or("");
    while (text.size() < result_bytes_) text += "\nconst auto line = 42;  // of a file";
    co_return tools::ToolOutput::of(std::move(text));
  }

 private:
  std::size_t result_bytes_;
};

class CallingSession final : public engine::Session {
 public:
  CallingSession(CallingEngine& engine, std::string system)
      : engine_(engine), body_(std::move(system)), stable_(body_.size()) {}

  std::expected<engine::PreparedRequest, engine::Fault> prepare(
      const engine::Transcript& transcript, const engine::RequestLimits&) override {
    body_.resize(stable_);
    for (std::size_t i = starts_.size(); i < transcript.messages.size(); ++i) {
      const Message& message = transcript.messages[i];
      starts_.push_back(body_.size());
      body_ += "\n" + message.text;
      for (const ToolCall& call : message.calls) body_ += call.id + call.name + call.arguments;
      for (const ToolResult& result : message.results) body_ += result.call_id + result.content;
    }
    stable_ = body_.size();
    body_ += "\n>";
    return engine::PreparedRequest{body_, stable_, starts_, 0, 0};
  }

  asio::awaitable<engine::SampleOutcome> sample(const engine::SampleObserver&) override {
    engine_.asked.push_back({Steady::now(), starts_.size(), body_.size()});
    engine::Answered answered;
    answered.sample.message.role = Role::assistant;
    if (made_ == engine_.calls()) {
      if (engine_.before_answer) co_await engine_.before_answer();
      answered.sample.message.text = "Done.";
    } else {
      answered.sample.message.calls.push_back(
          {"", "note", R"({"text":"number )" + std::to_string(++made_) + "\"}", ""});
      answered.sample.finish = engine::FinishReason::tool_calls;
    }
    co_return answered;
  }

  [[nodiscard]] Result<std::unique_ptr<engine::Session>> fork() const override {
    return fail(ErrorCode::unsupported, "nothing is compacted here");
  }

 private:
  CallingEngine& engine_;
  std::string body_;
  std::size_t stable_;
  std::vector<std::size_t> starts_;
  std::uint64_t made_ = 0;
};

}  // namespace

CallingEngine::CallingEngine(std::uint64_t calls) : calls_(calls) {
  info_.name = "calling";
  info_.model = "calling";
}

Result<std::unique_ptr<engine::Session>> CallingEngine::open(engine::SessionSetup setup) {
  return std::make_unique<CallingSession>(*this, std::move(setup.system));
}

BenchPlace::BenchPlace() {
  std::filesystem::create_directories(home());
  std::filesystem::create_directories(workspace());
  (void)dir_.write("work/README.md", "# A small project\n");
  (void)dir_.write("work/AGENTS.md", "Keep the tests green.\n");
}

GetEnv BenchPlace::env() const {
  return [home = home().string()](const char* name) {
    const std::string_view asked(name);
    if (asked == "HOME") return home;
    return asked == "PATH" ? process_env(name) : std::string();
  };
}

SessionOptions BenchPlace::session(std::size_t result_bytes) const {
  const FoundAgent found = find_agent("coder", workspace(), env()).value();
  SessionOptions options;
  options.agent = found.agent;
  options.agent.budget = {};
  options.agent.budget.steps = kBudgetStepsMax;
  options.document = found.text;
  options.engine = "calling";
  options.tools.repository = workspace();
  options.tools.more.push_back(std::make_unique<NoteTool>(result_bytes));
  return options;
}

asio::awaitable<void> one_session(Session::Surroundings around, SessionOptions options) {
  auto starting = Session::start(std::move(around), std::move(options));
  const auto session = co_await std::move(starting);
  if (!session) throw std::runtime_error("start: " + session.error().message);
  auto running = (*session)->run_turn("Take notes.");
  const Result<TurnReport> report = co_await std::move(running);
  if (!report) throw std::runtime_error("turn: " + report.error().message);
  if (report->end != TurnEnd::answered) throw std::runtime_error("turn: " + report->why);
  auto closing = (*session)->close(0);
  if (const Result<> closed = co_await std::move(closing); !closed)
    throw std::runtime_error("close: " + closed.error().message);
}

std::uint64_t own_status(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key) && line.at(key.size()) == ':')
      return std::stoull(line.substr(key.size() + 1));
  return 0;
}

}  // namespace fathom::agents
