#include "agents/session_state.hpp"

#include "agents/session_budget.hpp"
#include "runtime/trace/journal_reader.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace fathom::agents {

using nlohmann::json;

namespace {

constexpr const char* kInterrupted = "interrupted: it may have done a part of its work";

}  // namespace

void SessionState::say(Message message, std::uint64_t seq) {
  transcript_.messages.push_back(std::move(message));
  owners_.push_back(seq);
}

// The results of one sample's calls enter the transcript together, in the order of the calls.
void SessionState::settle_calls(std::uint64_t seq) {
  if (pending_.empty() || !std::ranges::all_of(pending_, [](const PendingCall& pending) {
        return pending.result.has_value();
      }))
    return;
  Message results;
  results.role = Role::tool;
  for (PendingCall& pending : pending_) results.results.push_back(*std::move(pending.result));
  pending_.clear();
  say(std::move(results), seq);
}

void SessionState::apply(const engine::SessionEvent& event, std::uint64_t seq) {
  record_.apply(event, seq);
  if (const auto* began = std::get_if<engine::AgentStarted>(&event)) {
    started_ = *began;
  } else if (const auto* said = std::get_if<engine::UserSaid>(&event)) {
    if (said->how == engine::UserSaid::How::turn) {
      ++turns_;
      turn_open_ = true;
      task_ = said->text;
      if (attempts_) attempts_->begin_turn(said->text);
    }
    if (said->repeated) return;
    Message message;
    message.text = said->text;
    say(std::move(message), seq);
  } else if (const auto* sent = std::get_if<engine::RequestSent>(&event)) {
    requests_ = std::max(requests_, sent->request);
    if (sent->attempt == 1) ++spent_.steps;
  } else if (const auto* answered = std::get_if<engine::ModelAnswered>(&event)) {
    spent_.usage += answered->usage;
    spent_.usd += answered->cost_usd.value_or(0);
    for (const ToolCall& call : answered->message.calls)
      pending_.push_back({call, false, false, std::nullopt, std::nullopt});
    say(answered->message, seq);
  } else if (const auto* finished = std::get_if<engine::CallFinished>(&event)) {
    const auto pending = std::ranges::find_if(
        pending_, [&](const PendingCall& one) { return one.call.id == finished->result.call_id; });
    if (pending == pending_.end()) return;
    pending->result = finished->result;
    if (pending->result->content.empty()) pending->result->content = kInterrupted;
    settle_calls(seq);
  } else if (const auto* compacted = std::get_if<engine::Compacted>(&event)) {
    transcript_ = compacted->transcript;
    owners_.assign(transcript_.messages.size(), seq);
    if (attempts_) attempts_->forget_attempt(record_, transcript_.messages.size());
  } else if (const auto* ended = std::get_if<engine::TurnEnded>(&event)) {
    turn_open_ = false;
    last_end_ = *ended;
    if (attempts_) attempts_->end_turn(ended->reason);
  }
}

Result<> SessionState::apply_trace(const trace::Event& event, const trace::BlobStore& blobs) {
  apply_time(event);
  if (const auto known = TRY(engine::decode(event, blobs)))
    apply(*known, event.at.seq);
  else if (event.what.type == "compaction.summarised")
    apply_summary(event.what.data);
  else if (event.what.type.starts_with("agent."))
    apply_agent(event.what.type, event.what.data);
  else if (event.what.type.starts_with("run."))
    apply_run(event.what.type, event.what.data);
  else if (!pending_.empty())
    apply_progress(event.what.type, event.what.data);
  return {};
}

namespace {

std::uint64_t count_in(const json& data, const char* key) {
  const auto found = data.find(key);
  return found != data.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

void add_cost(Spent& spent, const json& data) {
  spent.usage += Usage{count_in(data, "prompt_tokens"), count_in(data, "reused_tokens"),
                       count_in(data, "completion_tokens"), count_in(data, "reasoning_tokens")};
  const auto cost = data.find("cost_usd");
  if (cost != data.end() && cost->is_number()) spent.usd += cost->get<double>();
}

}  // namespace

// A summary is no step, but it costs.
void SessionState::apply_summary(std::string_view data) {
  const json said = json::parse(data, nullptr, false);
  if (said.is_object()) add_cost(spent_, said);
}

void SessionState::apply_agent(std::string_view type, std::string_view data) {
  if (type == "agent.task") {
    ++tasks_;
  } else if (type == "agent.task_finished") {
    const json said = json::parse(data, nullptr, false);
    if (said.is_object()) add_cost(spent_, said);
  } else if (type == "agent.child") {
    const json said = json::parse(data, nullptr, false);
    depth_ = said.is_object() ? count_in(said, "depth") : 0;
  } else if (type == "agent.tool_cpu") {
    const json said = json::parse(data, nullptr, false);
    if (said.is_object()) spent_.tool_cpu += std::chrono::milliseconds(count_in(said, "ms"));
  } else if (type == "agent.escalated") {
    const json said = json::parse(data, nullptr, false);
    if (!said.is_object()) return;
    escalated_to_ = said.contains("failed") ? "" : said.value("to", "");
  } else if (type == "agent.budget") {
    budget_ = decode_budget(data);
  } else if (type == "agent.attempts") {
    attempts_ = AttemptsRecord::began(data, transcript_, record_);
  } else if (type == "agent.attempt" && attempts_) {
    attempts_->end_attempt(data);
  }
}

void SessionState::apply_time(const trace::Event& event) {
  const std::string& type = event.what.type;
  const bool begins = type == "run.started" || type == "run.resumed";
  if (type == "run.forked") worked_ = {};
  if (type == "run.forked" || type == "run.finished") last_at_work_.reset();
  // A person takes the time that a person takes, and may answer when nothing runs any more.
  if (last_at_work_ && !begins && type != "approval.answered")
    worked_ +=
        std::max(Duration{}, std::chrono::duration_cast<Duration>(event.ts - *last_at_work_));
  if (last_at_work_ || begins) last_at_work_ = event.ts;
}

void SessionState::apply_run(std::string_view type, std::string_view data) {
  if (type == "run.started" || type == "run.resumed") {
    start_ = decode_run_start(data);
    is_fresh_fork_ = false;
  } else if (type == "run.forked") {
    if (start_) start_->transaction.clear();
    is_fresh_fork_ = true;
    spent_ = {};
    escalated_to_.reset();
    tasks_ = 0;
  }
}

void SessionState::apply_progress(std::string_view type, std::string_view data) {
  const bool is_change = type == "file.changed";
  const bool is_snapshot = type == "tool.snapshot";
  if (!is_change && !is_snapshot && type != "tool.started" && !type.starts_with("approval."))
    return;
  const json said = json::parse(data, nullptr, false);
  if (is_change) {
    const auto path = said.find("path");
    if (path != said.end() && path->is_string()) record_.apply_change(path->get<std::string>());
    return;
  }
  const auto call = said.find("call");
  if (call == said.end() || !call->is_string()) return;
  const auto pending = std::ranges::find_if(pending_, [&](const PendingCall& one) {
    return one.call.id == call->get_ref<const std::string&>();
  });
  if (pending == pending_.end()) return;
  if (is_snapshot && attempts_ && pending->call.name != "run_tests")
    attempts_->begin_change(record_, transcript_.messages.size());
  if (type == "tool.started") pending->started = true;
  if (type == "approval.requested") pending->asked = true;
  const auto given = said.find("given");
  if (type == "approval.answered" && given != said.end() && given->is_boolean())
    pending->approved = given->get<bool>();
}

Result<SessionState> read_session(const std::filesystem::path& journal,
                                  const trace::BlobStore& blobs) {
  trace::JournalReader reader = TRY(trace::JournalReader::open(journal));
  SessionState state;
  while (const std::optional<trace::Event> event = TRY(reader.next()))
    TRY(state.apply_trace(*event, blobs));
  if (!state.started())
    return fail(ErrorCode::bad_data, journal.string() + ": holds no session of an agent");
  return state;
}

}  // namespace fathom::agents
