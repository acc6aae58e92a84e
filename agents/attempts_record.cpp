#include "agents/attempts_record.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace fathom::agents {

using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 3> kVerdictNames = {"accepted", "unproven", "refused"};

std::uint64_t count(const json& data, const char* key) {
  const auto found = data.find(key);
  return found != data.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

bool flag(const json& data, const char* key) {
  const auto found = data.find(key);
  return found != data.end() && found->is_boolean() && found->get<bool>();
}

std::string text(const json& data, const char* key) {
  const auto found = data.find(key);
  return found != data.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::string_view name_of(AttemptVerdict verdict) {
  return kVerdictNames.at(static_cast<std::size_t>(verdict));
}

AttemptsRecord AttemptsRecord::began(std::string_view data, const engine::Transcript& transcript,
                                     const SessionRecord& record) {
  AttemptsRecord began;
  const json said = json::parse(data, nullptr, false);
  began.of = count(said, "of");
  began.snapshot = text(said, "snapshot");
  began.task = text(said, "task");
  began.checked = said.contains("passed");
  began.passed_before = flag(said, "passed");
  began.open = !said.contains("open") || flag(said, "open");
  began.transcript = transcript;
  began.record = record;
  return began;
}

void AttemptsRecord::end_attempt(std::string_view data) {
  const json said = json::parse(data, nullptr, false);
  ended = count(said, "n");
  const std::string name = text(said, "verdict");
  for (std::size_t i = 0; i < kVerdictNames.size(); ++i)
    if (kVerdictNames.at(i) == name) verdict = static_cast<AttemptVerdict>(i);
  open = flag(said, "again");
  must_forget = open;
  has_turned = false;
}

void AttemptsRecord::begin_turn(const std::string& text) {
  kept.reset();
  has_changed = false;
  if (open && task.empty()) task = text;
}

// Who stops a turn wants no further ones.
void AttemptsRecord::end_turn(std::string_view reason) {
  if (!open) return;
  has_turned = true;
  if (reason == "cancelled") open = false;
}

void AttemptsRecord::begin_change(const SessionRecord& now, std::size_t messages) {
  if (!open || std::exchange(has_changed, true)) return;
  kept = Kept{messages - 1, now};
}

void AttemptsRecord::forget_attempt(SessionRecord& now, std::size_t messages) {
  if (!must_forget) return kept.reset();
  must_forget = false;
  const bool keeps = kept && kept->messages == messages;
  SessionRecord then = keeps ? kept->record : record;
  for (SessionRecord::Said& said : now.said) {
    const bool is_older = !then.said.empty() && said.seq <= then.said.back().seq;
    if (!is_older && said.words.how == engine::UserSaid::How::steer)
      then.said.push_back(std::move(said));
  }
  then.call_ids = std::move(now.call_ids);
  now = std::move(then);
}

}  // namespace fathom::agents
