#include "agents/session_summary.hpp"

#include "runtime/base/text.hpp"
#include "runtime/trace/journal_reader.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace fathom::agents {

using nlohmann::json;

namespace {

constexpr std::size_t kArgumentBytes = 400;
constexpr std::size_t kCallsHeldMax = 64;  // more than one sample makes; of a foreign journal

// A text of an event, or how it begins where it is in a blob.
std::string text_of(const json& data, const char* key) {
  const auto found = data.find(key);
  if (found == data.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  const auto preview = found->find("preview");
  return preview != found->end() && preview->is_string() ? preview->get<std::string>() : "";
}

std::uint64_t count_of(const json& data, const char* key) {
  const auto found = data.find(key);
  return found != data.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string first_line(std::string_view text) {
  while (!text.empty() && (text.front() == '\n' || text.front() == '\r' || text.front() == ' '))
    text.remove_prefix(1);
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return std::string(clip_prefix(text, kTaskLineBytes));
}

class SummaryFold {
 public:
  explicit SummaryFold(SessionSummary& into) : it_(into) {}

  void add(const trace::Event& event) {
    if (it_.last_seq == 0) it_.began = event.ts;
    it_.last = event.ts;
    it_.last_seq = event.at.seq;
    const auto* const known = std::ranges::find(kTypes, event.what.type, &Type::name);
    if (known == kTypes.end()) return;
    // Most results are of calls that nobody was asked about, and they are the longest events.
    if (known->apply == &SummaryFold::on_acted && it_.waiting.empty()) return;
    const json data = json::parse(event.what.data, nullptr, false);
    if (data.is_object()) (this->*known->apply)(data, event);
  }

 private:
  void on_run_started(const json& data, const trace::Event&) {
    it_.workspace = text_of(data, "workspace");
    it_.parent = text_of(data, "parent");
  }

  // The events so far are copies: when they happened and what they cost is another run's.
  void on_forked(const json& data, const trace::Event& event) {
    it_.forked_from = text_of(data, "from");
    it_.forked_at = count_of(data, "seq");
    it_.parent.clear();
    it_.began = event.ts;
    it_.steps = 0;
    it_.usage = {};
    it_.usd.reset();
  }

  void on_agent(const json& data, const trace::Event&) {
    it_.is_session = true;
    it_.agent = text_of(data, "agent");
    it_.engine = text_of(data, "engine");
    it_.model = text_of(data, "model");
  }

  void on_turn(const json& data, const trace::Event& event) {
    const std::string task = first_line(text_of(data, "text"));
    if (it_.turns++ == 0) it_.task = task;
    if (it_.last_turns.size() == kTurnsKept) it_.last_turns.pop_front();
    it_.last_turns.push_back({count_of(data, "turn"), event.at.seq, 0, task, ""});
  }

  void on_turn_end(const json& data, const trace::Event& event) {
    it_.reason = text_of(data, "reason");
    if (it_.last_turns.empty()) return;
    it_.last_turns.back().last_seq = event.at.seq;
    it_.last_turns.back().reason = it_.reason;
  }

  void on_request(const json& data, const trace::Event&) {
    if (count_of(data, "attempt") == 1) ++it_.steps;
  }

  void on_answer(const json& data, const trace::Event&) {
    if (const auto usage = data.find("usage"); usage != data.end() && usage->is_object())
      it_.usage += {.prompt_tokens = count_of(*usage, "prompt_tokens"),
                    .reused_tokens = count_of(*usage, "reused_tokens"),
                    .completion_tokens = count_of(*usage, "completion_tokens"),
                    .reasoning_tokens = count_of(*usage, "reasoning_tokens")};
    const auto cost = data.find("cost_usd");
    if (cost != data.end() && cost->is_number())
      it_.usd = it_.usd.value_or(0) + cost->get<double>();
    asked_of_.clear();  // of the calls before, whose results the model has
  }

  void on_requested(const json& data, const trace::Event&) {
    if (asked_of_.size() >= kCallsHeldMax) return;
    asked_of_[text_of(data, "call")] = {
        text_of(data, "tool"),
        std::string(clip_prefix(text_of(data, "arguments"), kArgumentBytes))};
  }

  void on_asked(const json& data, const trace::Event& event) {
    WaitingCall waiting;
    waiting.call = text_of(data, "call");
    if (const auto known = asked_of_.find(waiting.call); known != asked_of_.end())
      std::tie(waiting.tool, waiting.arguments) = known->second;
    waiting.rule = text_of(data, "rule");
    waiting.reason = text_of(data, "reason");
    waiting.grant = text_of(data, "grant");
    waiting.requested = event.at.seq;
    drop(waiting.call);  // asked again when the run was resumed without an answer
    if (it_.waiting.size() < kCallsHeldMax) it_.waiting.push_back(std::move(waiting));
  }

  void on_approval(const json& data, const trace::Event&) {
    const auto given = data.find("given");
    if (given == data.end() || !given->is_boolean()) return;
    const std::string call = text_of(data, "call");
    for (WaitingCall& waiting : it_.waiting)
      if (waiting.call == call) waiting.given = given->get<bool>();
  }

  // Started or finished: the answer was acted on.
  void on_acted(const json& data, const trace::Event&) { drop(text_of(data, "call")); }

  void drop(const std::string& call) {
    std::erase_if(it_.waiting, [&](const WaitingCall& one) { return one.call == call; });
  }

  struct Type {
    std::string_view name;
    void (SummaryFold::*apply)(const json& data, const trace::Event& event);
  };
  static constexpr std::size_t kTypeCount = 12;
  static const std::array<Type, kTypeCount> kTypes;

  SessionSummary& it_;
  std::map<std::string, std::pair<std::string, std::string>> asked_of_;  ///< tool, arguments
};

const std::array<SummaryFold::Type, SummaryFold::kTypeCount> SummaryFold::kTypes = {
    Type{"run.started", &SummaryFold::on_run_started},
    Type{"run.forked", &SummaryFold::on_forked},
    Type{"agent.started", &SummaryFold::on_agent},
    Type{"turn.started", &SummaryFold::on_turn},
    Type{"turn.finished", &SummaryFold::on_turn_end},
    Type{"model.request", &SummaryFold::on_request},
    Type{"model.message", &SummaryFold::on_answer},
    Type{"tool.requested", &SummaryFold::on_requested},
    Type{"approval.requested", &SummaryFold::on_asked},
    Type{"approval.answered", &SummaryFold::on_approval},
    Type{"tool.started", &SummaryFold::on_acted},
    Type{"tool.finished", &SummaryFold::on_acted},
};

Result<> read(const std::filesystem::path& journal, SessionSummary& into) {
  trace::JournalReader reader = TRY(trace::JournalReader::open(journal));
  SummaryFold fold(into);
  while (const std::optional<trace::Event> event = TRY(reader.next())) {
    if (event->run != into.run)
      return fail(ErrorCode::bad_data,
                  "journal " + journal.string() + ": belongs to run " + event->run.to_string());
    fold.add(*event);
  }
  return {};
}

}  // namespace

std::string_view name_of(SessionStanding standing) {
  switch (standing) {
    case SessionStanding::idle:
      return "idle";
    case SessionStanding::open:
      return "open";
    case SessionStanding::waiting:
      return "waiting";
  }
  return "idle";
}

SessionStanding SessionSummary::standing() const {
  if (last_turns.empty() || last_turns.back().last_seq != 0) return SessionStanding::idle;
  const bool waits =
      std::ranges::any_of(waiting, [](const WaitingCall& call) { return !call.given.has_value(); });
  return waits ? SessionStanding::waiting : SessionStanding::open;
}

SessionSummary summarize(const std::filesystem::path& journal, const RunId& run) {
  SessionSummary summary;
  summary.run = run;
  if (Result<> whole = read(journal, summary); !whole) summary.damage = std::move(whole).error();
  return summary;
}

}  // namespace fathom::agents
