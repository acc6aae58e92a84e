#include "tests/sim/agent_world.hpp"

#include <algorithm>

namespace fathom::test {

using agents::SessionState;
using namespace std::chrono_literals;

namespace {

std::size_t occurrences(const std::vector<Message>& messages, std::string_view text) {
  std::size_t count = 0;
  for (const Message& message : messages)
    for (std::size_t at = message.text.find(text); at != std::string::npos;
         at = message.text.find(text, at + text.size()))
      ++count;
  return count;
}

bool same_pending(const std::vector<agents::PendingCall>& a,
                  const std::vector<agents::PendingCall>& b) {
  return std::ranges::equal(a, b, [](const agents::PendingCall& x, const agents::PendingCall& y) {
    return x.call == y.call && x.started == y.started && x.asked == y.asked &&
           x.approved == y.approved && x.result == y.result;
  });
}

}  // namespace

std::string find_flaw(const std::vector<Message>& messages) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    const std::string at = "message " + std::to_string(i);
    if (message.role == Role::assistant) {
      if (i == 0) return "it begins with the model";
      if (messages[i - 1].role == Role::assistant) return at + " answers the model";
      if (message.calls.empty()) continue;
      if (i + 1 == messages.size()) return at + " has calls without results";
      const std::vector<ToolResult>& results = messages[i + 1].results;
      const bool fits = std::ranges::equal(
          message.calls, results,
          [](const ToolCall& call, const ToolResult& one) { return call.id == one.call_id; });
      if (!fits) return at + " has calls with other results";
    } else if (message.role == Role::tool) {
      if (i == 0 || messages[i - 1].calls.empty()) return at + " has results of nothing";
    }
  }
  if (!messages.empty() && messages.back().role == Role::assistant) return "it ends with the model";
  return "";
}

/// Counts how often each call was carried out.
class AgentWorld::WorldTool final : public tools::Tool {
 public:
  WorldTool(AgentWorld& world, Clock& clock, std::string name, tools::Effect effect)
      : world_(world),
        clock_(clock),
        effect_(effect),
        spec_{std::move(name), "",
              R"({"type":"object","properties":{"text":{"type":"string"}},)"
              R"("additionalProperties":false})"} {}

  [[nodiscard]] const tools::ToolSpec& spec() const override { return spec_; }
  [[nodiscard]] Result<tools::Intent> intent(const tools::Arguments&) const override {
    tools::Intent intent{effect_, {}};
    if (spec_.name == "ask") intent.requests.emplace_back(policies::request::Exec{{"rm"}, "/w"});
    return intent;
  }
  asio::awaitable<Result<tools::ToolOutput>> run(const tools::Call& call) override {
    ++world_.executions[call.id];
    const std::string id = call.id;
    const std::uint64_t fate = world_.below(8);
    const std::string text = "did " + id + " " + std::string(world_.below(300), 'o');
    if (fate < 3) co_await clock_.sleep_for(std::chrono::milliseconds(world_.below(20'000)));
    if (fate == 1 || fate == 7) co_return fail(ErrorCode::io, "it broke in " + id);
    tools::ToolOutput output = tools::ToolOutput::of(text);
    if (effect_ == tools::Effect::write) output.changed = {"/w/" + std::to_string(fate)};
    co_return output;
  }

 private:
  AgentWorld& world_;
  Clock& clock_;
  tools::Effect effect_;
  tools::ToolSpec spec_;
};

AgentWorld::AgentWorld(std::uint64_t seed, Disk& on_disk)
    : disk(on_disk), random_(seed), is_stubborn_(chance(10)) {
  disk.events.clear();
  if (chance(30)) budget.tokens = 300 + below(3000);
  for (std::uint64_t i = 0, count = 1 + below(2); i < count; ++i) {
    engine::UserSaid said;
    said.text = unique("task");
    said.turn = i + 1;
    turns.push_back(std::move(said));
  }
}

// Ends in a mark, so that no word of the world is a part of another.
std::string AgentWorld::unique(std::string_view word) {
  return std::string(word) + " " + std::to_string(++number_) + ".";
}

ToolCall AgentWorld::make_call() {
  static constexpr std::array<const char*, 7> kNames = {"look",  "look",   "peek", "change",
                                                        "write", "absent", "ask"};
  ToolCall made = call(kNames.at(below(kNames.size())), "same");
  if (is_stubborn_ && !chance(5)) return call("absent", "same");
  if (chance(80)) made.arguments = R"({"text":")" + unique("text") + "\"}";
  if (chance(5)) made.arguments = R"({"text":)";
  if (chance(5)) made.arguments = R"({"other":1})";
  if (chance(15)) made.id = "given-" + std::to_string(below(4));  // engines may repeat themselves
  return made;
}

Script::Step AgentWorld::fault(Script::Step step) {
  using engine::FaultClass;
  static constexpr std::array<FaultClass, 7> kKinds = {
      FaultClass::rate,      FaultClass::server, FaultClass::transport, FaultClass::transport,
      FaultClass::transport, FaultClass::format, FaultClass::overflow};
  engine::Fault made{kKinds.at(below(kKinds.size())), "world: it went wrong", {}, chance(10)};
  if (chance(3)) made.kind = FaultClass::refused;
  if (made.kind == FaultClass::rate && chance(50)) made.retry_after = 1s * below(120);
  if (made.kind == FaultClass::transport) step.cut_after = unique("cut");
  step.outcome = std::unexpected(std::move(made));
  return step;
}

Script::Step AgentWorld::answer(const engine::Transcript& asked) {
  Script::Step step{engine::Answered{}, 1ms * below(5000)};
  if (chance(25)) return fault(std::move(step));
  const std::uint64_t tokens = agents::bytes_of(asked) / 4 + 20;
  if (tokens > kContextTokens) {
    step.outcome =
        std::unexpected(engine::Fault{engine::FaultClass::overflow, "world: too long", {}, false});
    return step;
  }
  const bool is_summary = asked.messages.back().text == agents::summary_question().text;
  engine::Sample& sample = step.outcome->sample;
  sample.message.role = Role::assistant;
  if (!chance(is_summary ? 10 : 30))
    sample.message.text = unique("says") + std::string(below(150), 's');
  const bool calls = chance(is_summary ? 10 : 75);
  for (std::uint64_t i = 0, count = calls ? 1 + below(4) : 0; i < count; ++i)
    sample.message.calls.push_back(make_call());
  sample.finish = calls ? engine::FinishReason::tool_calls : engine::FinishReason::stop;
  if (chance(6)) sample.finish = engine::FinishReason::length;
  said_.push_back(sample.message.text);
  step.outcome->usage = {tokens, below(tokens), 10 + below(100), 0};
  return step;
}

void AgentWorld::furnish(AgentRig& rig) {
  rig.bodies.clear();
  for (const auto& [name, effect] :
       {std::pair{"look", tools::Effect::read}, std::pair{"peek", tools::Effect::read},
        std::pair{"change", tools::Effect::write}, std::pair{"write", tools::Effect::write},
        std::pair{"ask", tools::Effect::write}})
    rig.bodies.push_back(std::make_unique<WorldTool>(*this, rig.clock, name, effect));
  rig.policy.exec.otherwise = policies::Verdict::ask;
  rig.approve = [this](const ToolCall&,
                       const policies::Decision&) -> asio::awaitable<tools::Approval> {
    const std::uint64_t drawn = below(4);
    co_return drawn == 0 ? tools::Approval::refused
    : drawn == 1         ? tools::Approval::later
                         : tools::Approval::given;
  };
  rig.engine.change_info().context_tokens = kContextTokens;
  rig.script().otherwise = [this](const engine::Transcript& asked) { return answer(asked); };
  rig.ledger = agents::Ledger(budget, rig.clock.now(), disk.fold().spent());
  rig.compact = [&rig]() -> asio::awaitable<Result<bool>> {
    agents::Compactor compactor({rig.log, *rig.model, rig.ledger, {}, {}});
    auto running = compactor.run();
    co_return co_await std::move(running);
  };
  rig.on_event = [&rig](const trace::Event& event) {
    if (event.what.data.find(R"({"ref":)") != std::string::npos)
      FAIL("an event went through the blob store, whose threads no seed repeats");
    if (event.what.type != "model.request") return;
    const std::string flaw = find_flaw(rig.messages());
    if (!flaw.empty()) FAIL("a request was sent with a transcript that is not valid: " << flaw);
  };
}

void AgentWorld::check_requests(const Script& script) {
  for (std::size_t i = 0; i < script.bodies.size(); ++i) {
    const std::string& body = script.bodies[i];
    const bool goes_on = !promised_.empty() && promised_epoch_ == script.epochs[i];
    if (goes_on && !body.starts_with(promised_)) {
      INFO("before: " << promised_);
      INFO("now: " << body);
      FAIL("a request does not repeat the one before");
    }
    if (script.aside[i]) continue;
    promised_ = body.substr(0, body.size() - 2);  // all but what closes it
    promised_epoch_ = script.epochs[i];
  }
}

void AgentWorld::check_state(const AgentRig& rig) const {
  const SessionState& live = rig.log.state();
  const SessionState folded = disk.fold();
  CHECK(live.transcript().messages == folded.transcript().messages);
  CHECK(live.transcript().epoch == folded.transcript().epoch);
  CHECK(same_pending(live.pending(), folded.pending()));
  CHECK(live.is_turn_open() == folded.is_turn_open());
  CHECK(live.requests() == folded.requests());
  CHECK(live.spent() == folded.spent());
  CHECK(agents::gather(live, {}) == agents::gather(folded, {}));
  if (rig.ledger.spent().usage.completion_tokens < folded.spent().usage.completion_tokens)
    FAIL("the ledger has forgotten something");
}

void AgentWorld::check_journal() const {
  SessionState state;
  std::map<std::string, std::string> results;
  const auto collect = [&] {
    for (const Message& message : state.transcript().messages)
      for (const ToolResult& result : message.results)
        results.emplace(result.call_id, result.content);
  };
  for (const trace::Event& event : disk.events) {
    if (event.what.type == "compaction.finished") collect();
    REQUIRE(state.apply_trace(event, disk.blobs));
  }
  collect();
  CHECK(disk.events.back().what.type == "turn.finished");
  CHECK_FALSE(state.is_turn_open());
  CHECK(state.pending().empty());
  check_turns(state);
  check_steers(state);
  check_partials();
  check_results(results);
  if (budget.tokens) CHECK(state.spent().tokens() <= *budget.tokens + kSampleTokensMax);
}

void AgentWorld::check_turns(const SessionState& state) const {
  const std::vector<std::string> types = disk.types();
  CHECK(static_cast<std::size_t>(std::ranges::count(types, "turn.started")) == turns.size());
  CHECK(static_cast<std::size_t>(std::ranges::count(types, "turn.finished")) == turns.size());
  // Each life may be the one that asks for a summary of a turn at its limit.
  CHECK(state.record().turn_steps <= kStepsMax + lives);
  for (const engine::UserSaid& turn : turns)
    CHECK(occurrences(state.transcript().messages, turn.text) == 1);
}

void AgentWorld::check_steers(const SessionState& state) const {
  for (const auto& [key, seqs] : receipts) {
    CAPTURE(key);
    REQUIRE(seqs.size() == 1);
    const trace::Event& event = disk.events.at(*seqs.begin() - 1);
    CHECK(event.what.type == "steer.delivered");
    CHECK(event.what.data.find('"' + key + '"') != std::string::npos);
  }
  for (const auto& [key, text] : steers) {
    CAPTURE(key);
    const std::size_t said = occurrences(state.transcript().messages, text);
    CHECK(said <= 1);
    if (receipts.contains(key)) CHECK(said == 1);
  }
}

// What stays of an answer that was stopped is the beginning of one answer.
void AgentWorld::check_partials() const {
  for (const trace::Event& event : disk.events) {
    if (event.what.type != "model.message") continue;
    const auto decoded = engine::decode(event, disk.blobs);
    REQUIRE(decoded);
    const auto& answered = std::get<engine::ModelAnswered>(**decoded);
    if (answered.end != engine::AnswerEnd::interrupted) continue;
    const std::string& text = answered.message.text;
    const bool is_beginning = std::ranges::any_of(
        said_, [&](const std::string& whole) { return whole.starts_with(text); });
    // An attempt that is cut off after the interruption is nobody's: it can be what stays.
    const bool is_one_attempt = text.starts_with("cut ") && text.find('.') + 1 == text.size();
    if (!is_beginning && !is_one_attempt) FAIL("a mixture of answers: " << text);
  }
}

void AgentWorld::check_results(const std::map<std::string, std::string>& results) const {
  for (const auto& [id, times] : executions) {
    CAPTURE(id);
    CHECK(times == 1);
    CHECK_FALSE(id.starts_with("cut-"));  // of an answer that was stopped
    REQUIRE(results.contains(id));
    CHECK_FALSE(results.at(id).starts_with("not run"));
  }
  for (const auto& [id, content] : results) {
    CAPTURE(id, content);
    if (content.starts_with("did ")) CHECK(executions.contains(id));
    if (content.starts_with("did ")) CHECK(content.starts_with("did " + id + " "));
  }
}

}  // namespace fathom::test
