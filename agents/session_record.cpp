#include "agents/session_record.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace fathom::agents {

void SessionRecord::apply(const engine::SessionEvent& event, std::uint64_t seq) {
  if (const auto* words = std::get_if<engine::UserSaid>(&event)) {
    if (words->how == engine::UserSaid::How::guard) return;
    if (!words->repeated) said.push_back({*words, seq});
    if (words->how == engine::UserSaid::How::steer) return;
    turn_steps = 0;
    plan.clear();
    last_answer.reset();
  } else if (const auto* sent = std::get_if<engine::RequestSent>(&event)) {
    if (sent->attempt == 1) ++turn_steps;
  } else if (const auto* answered = std::get_if<engine::ModelAnswered>(&event)) {
    last_answer = answered->end;
    for (const ToolCall& call : answered->message.calls) call_ids.insert(call.id);
    if (!answered->message.text.empty()) plan = clip_middle(answered->message.text, kTextBytesMax);
    test_calls_.clear();
    for (const ToolCall& call : answered->message.calls)
      if (call.name == "run_tests") test_calls_.push_back(call.id);
  } else if (const auto* finished = std::get_if<engine::CallFinished>(&event)) {
    if (std::erase(test_calls_, finished->result.call_id) == 0) return;
    if (!finished->result.content.empty())
      tests = clip_middle(finished->result.content, kTextBytesMax);
    tests_pass = finished->result.status == ToolStatus::ok;
  }
}

void SessionRecord::apply_change(std::string path) {
  tests_pass.reset();
  std::erase(files_changed, path);
  if (files_changed.size() >= kFilesMax) files_changed.erase(files_changed.begin());
  files_changed.push_back(std::move(path));
}

std::optional<std::uint64_t> SessionRecord::delivered(const std::string& key) const {
  if (key.empty()) return std::nullopt;
  const auto found =
      std::ranges::find_if(said, [&](const Said& one) { return one.words.key == key; });
  if (found == said.end()) return std::nullopt;
  return found->seq;
}

}  // namespace fathom::agents
